import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { parseExpressionAt } from 'acorn'
import { namesOf } from '#src/ray/code/names.js'

const look = (source: string) =>
  namesOf(parseExpressionAt(`(${source})`, 0, { ecmaVersion: 'latest', sourceType: 'module' }))
const free = (source: string) => [...look(source).free.keys()].sort().join(' ')

describe('names that a function does not bind', () => {
  const cases: [title: string, source: string, names: string][] = [
    [
      'parameters and locals are bound',
      'function (a, { b, c: [d] = e }, ...f) { var g; let h; const i = a; return [b, d, f, g, h, i, j] }',
      'e j',
    ],
    ['keys are no names', '() => ({ a: b, c, [d]: 1, e() { return f } })', 'b c d f'],
    ['members are no names', '() => a.b[c].d?.e', 'a c'],
    ['var is bound in the whole function, let in its block', '() => { { var a; let b } return [a, b] }', 'b'],
    ['functions are bound before they are declared', '() => { f(); function f() { g() } }', 'g'],
    [
      'a loop has a scope',
      '() => { for (const a of b) c(a); for (let i = 0; i < n; i++) d(i); return [a, i] }',
      'a b c d i n',
    ],
    ['so has a catch clause', '() => { try { a() } catch ({ message }) { b(message) } return message }', 'a b message'],
    ['and a switch', '() => { switch (a) { case b: let c; break; default: d(c) } return c }', 'a b c d'],
    ['labels are no names', '() => { a: for (;;) { break a } }', ''],
    ['a named function knows itself', 'function f() { return f }', ''],
    [
      'so does a class',
      'class A extends B { c = d; static e = A; static { f() } [g]() { return this.h } #i = j; get k() { return l } }',
      'B d f g j l',
    ],
    ['defaults see earlier parameters', '(a, b = a + c, { d = b } = {}) => d', 'c'],
    ['but nothing of the body', '(a, b = a + c, d = () => e) => { const c = b; var e; return [c, e, f] }', 'c e f'],
    ['assignments', '() => { a = 1; [b.c, d] = e; ({ f: g = h } = i); j++; for (k of l); }', 'a b d e g h i j k l'],
    ['templates and tags', '() => a`$'.concat('{b}$', '{`$', '{c}`}`'), 'a b c'],
    ['destructuring in a declaration', '() => { const { a = b, [c]: d, ...e } = f; return [a, d, e] }', 'b c f'],
    ['arguments are bound in functions', 'function () { return () => arguments }', ''],
    ['private names and import are no names', 'class A { #a; b(c) { return #a in c && import("d") } }', ''],
    ['export-like members', '() => (0, exports.a)(exports.b)', 'exports'],
    ['inner functions', '() => () => (a) => a + b', 'b'],
    ['a static block has its own var', 'class A { static { var a = 1; b(a) } c() { return a } }', 'a b'],
    ['which nobody else sees', '() => { class A { static { var a = 1 } } return a }', 'a'],
  ]
  for (const [title, source, names] of cases) test(title, () => assert.equal(free(source), names))

  test('what is assigned to is told', () => {
    const { free } = look('() => { a = b; c++; ({ d } = e); f.g = 1; [h.i] = [] }')
    const assigned = [...free].filter(([, use]) => use.assigned).map(([name]) => name)
    assert.deepEqual(assigned, ['a', 'c', 'd'])
  })

  test('members are listed as long as a name is used in no other way', () => {
    const { free } = look('() => [a.b, a["c"], d.e, d, f[g], typeof h.i]')
    assert.deepEqual([...free.get('a')!.members!], ['b', 'c'])
    assert.equal(free.get('d')!.members, null)
    assert.equal(free.get('f')!.members, null)
    assert.deepEqual([...free.get('h')!.members!], ['i'])
  })

  test('what a class needs to be evaluated is told', () => {
    const { free } = look('class { [a]() { return b } static c = d; e = typeof f; [typeof g] = 1 }')
    const eager = [...free].filter(([, use]) => use.eager).map(([name]) => name)
    assert.deepEqual(eager, ['a'])
  })

  test('what belongs to the place of an arrow function is told', () => {
    assert.deepEqual([...look('() => [this, arguments, () => this]').lexical], ['this', 'arguments'])
    assert.deepEqual([...look('function () { return () => [this, arguments, new.target] }').lexical], [])
    assert.deepEqual([...look('() => class { a = this; static b = this; c() { return this } }').lexical], [])
    assert.deepEqual([...look('() => class { static { this.a = 1 } }').lexical], [])
    assert.deepEqual([...look('() => ({ a() { return [this, super.b] } })').lexical], [])
  })
})
