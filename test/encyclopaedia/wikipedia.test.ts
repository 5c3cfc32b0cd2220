import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createRequire } from 'node:module'
import { afterEach, beforeEach, describe, test } from 'node:test'
import type { AxiosStatic } from 'axios'
import fc from 'fast-check'
import { type Lookup, Wikipedia, type WikipediaOptions } from '#src/encyclopaedia/index.js'
import { type Fault, MediaWikiStandIn, PAGES } from '../stand-ins/mediawiki.js'

let wiki: MediaWikiStandIn
beforeEach(async () => {
  wiki = await MediaWikiStandIn.start()
})
afterEach(() => wiki.close())

const wikipedia = (options: WikipediaOptions = {}) => new Wikipedia({ baseUrl: wiki.endpoint, ...options })
const text = (name: string) => PAGES[name] as string

describe('a look-up in Wikipedia', () => {
  test('gives the first 500 characters of the first page found', async () => {
    const lookup = await wikipedia().lookup('hammer')
    assert.equal(lookup.text, text('Hammer').slice(0, 500))
    assert.equal(lookup.text.length, 500)
    assert.deepEqual(
      { ...lookup, text: '' },
      {
        text: '',
        found: true,
        reachable: true,
        page: { title: 'Hammer', url: `${wiki.endpoint}/wiki/Hammer` },
        cached: false,
        asked: true,
      },
    )
  })

  test('counts characters as Python does, whatever their size', async () => {
    assert.equal((await wikipedia().lookup('Emoji 😀', 7)).text, '😀'.repeat(7))
    assert.equal((await wikipedia().lookup('Emoji 😀', 304)).text, `${'😀'.repeat(300)} and`)
    assert.equal((await wikipedia().lookup('Emoji 😀', 5000)).text, text('Emoji 😀'))
  })

  test('finds nothing where the search is empty, the page missing or its name none', async () => {
    wiki.results = { vanished: ['Vanished'], odd: ['A|B'] }
    for (const term of ['zzzzz', 'vanished', 'odd', 'x'.repeat(400), ' ', '']) {
      const { text, found, reachable, page } = await wikipedia().lookup(term)
      assert.deepEqual(
        { text, found, reachable, page },
        { text: 'No pages found', found: false, reachable: true, page: null },
        term,
      )
    }
  })

  test('follows redirects', async () => {
    wiki.results = { frog: ['Bullfrog'] }
    assert.equal((await wikipedia().lookup('frog')).page?.title, 'American bullfrog')
  })

  test('passes over pages that only list others, or have no text', async () => {
    wiki.pages.Empty = ''
    wiki.results = { crane: ['Crane', 'Empty', 'Crane (machine)'] }
    assert.equal((await wikipedia().lookup('crane')).page?.title, 'Crane (machine)')
    wiki.results = { crane: ['Crane'] }
    assert.equal((await wikipedia().lookup('crane')).page?.title, 'Crane (bird)', 'the first that the list links to')
    wiki.pages.Birds = { disambiguation: ['Crane (bird)'] }
    wiki.pages.Crane = { disambiguation: ['Birds', 'Empty', 'Crane (machine)'] }
    wiki.results = { crane: ['Crane', 'Birds'] }
    assert.equal((await wikipedia().lookup('crane')).page?.title, 'Crane (machine)', 'no list that a list links to')
    wiki.results = { crane: ['Crane'] }
    wiki.pages.Crane = { disambiguation: [] }
    assert.equal((await wikipedia().lookup('crane')).text, 'No pages found')
  })

  test('searches what was typed', async () => {
    const terms = [
      'AT&T',
      'C++',
      'What?',
      '50%',
      '1984',
      'C++ #x',
      'a=b&titles=Hammer',
      '%25',
      '1e3',
      '0x10',
      'naïve café',
    ]
    for (const term of terms) {
      const lookup = await wikipedia().lookup(term)
      assert.equal(wiki.requests.at(term in PAGES ? -2 : -1)!.params[term in PAGES ? 'titles' : 'srsearch'], term)
      assert.equal(wiki.searches(term), 1, term)
      assert.equal(lookup.page?.title, term in PAGES ? term : undefined)
      if (term in PAGES) assert.equal(lookup.text, PAGES[term])
    }
  })

  test('searches any text as it is', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 40 }), async (term) => {
        wiki.requests.length = 0
        const { reachable } = await wikipedia().lookup(term)
        assert.ok(reachable)
        if (term.trim()) assert.equal(wiki.searches(term.trim()), 1)
        else assert.equal(wiki.requests.length, 0)
      }),
      { numRuns: 50 },
    )
  })

  test('says who asks: program, version and repository', async () => {
    await wikipedia().lookup('tench')
    for (const { userAgent, apiUserAgent } of wiki.requests) {
      assert.match(userAgent!, /^rayito\/\d+\.\d+\.\d+ \(https:\/\/github\.com\/[^)]+\)$/)
      assert.equal(apiUserAgent, undefined, 'and no other name')
    }
    await wikipedia({ userAgent: 'another/1.0 (someone@example.org)' }).lookup('tench')
    assert.equal(wiki.requests.at(-1)!.userAgent, 'another/1.0 (someone@example.org)')
  })

  test('goes to the wiki of the option, of RAYITO_WIKIPEDIA, or to an api.php', async (t) => {
    process.env.RAYITO_WIKIPEDIA = `${wiki.endpoint}/`
    t.after(() => delete process.env.RAYITO_WIKIPEDIA)
    assert.ok((await new Wikipedia().lookup('tench')).found)
    for (const place of ['w/api.php', 'w/api.php?uselang=de', '?uselang=de#top'])
      assert.ok((await wikipedia({ baseUrl: `${wiki.endpoint}/${place}` }).lookup('tench')).found, place)
    const elsewhere = await wikipedia({ baseUrl: `${wiki.endpoint}/elsewhere` }).lookup('tench')
    assert.equal(elsewhere.text, 'Wikipedia could not be reached (it answered 404).')
    process.env.RAYITO_WIKIPEDIA = ''
    assert.ok(new Wikipedia(), 'empty as good as not set')
  })

  test('leaves nothing behind: no timer, no request of which nothing is expected any more', async () => {
    const timers = () => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length
    const before = timers()
    assert.ok((await wikipedia().lookup('tench')).found)
    assert.equal(timers(), before)
    // Of a page two things are asked at once.
    wiki.once('request', () =>
      wiki.once('request', () => {
        wiki.faults = [{ status: 403 }, 'silence']
      }),
    )
    const left = once(wiki, 'left')
    const lookup = await wikipedia().lookup('tench')
    assert.equal(lookup.text, 'Wikipedia could not be reached (it answered 403).')
    await left
  })

  test('on this machine is asked without the proxy of the environment', async (t) => {
    process.env.http_proxy = 'http://127.0.0.1:9'
    t.after(() => delete process.env.http_proxy)
    assert.ok((await wikipedia().lookup('tench')).found)
  })

  test('leaves alone what others ask of axios', async () => {
    await wikipedia().lookup('tench')
    const axios = createRequire(import.meta.url)('axios') as AxiosStatic
    const { status, config } = await axios.get(`${wiki.endpoint}/other?a=50%25`, { validateStatus: () => true })
    assert.equal(status, 404)
    assert.equal(config.url, `${wiki.endpoint}/other?a=50%25`)
    assert.match(wiki.requests.at(-1)!.userAgent!, /^axios/)
  })

  test('wikis do not mix', async (t) => {
    const other = await MediaWikiStandIn.start({ pages: { Hammer: 'Another wiki says something else.' } })
    t.after(() => other.close())
    const [one, two] = await Promise.all([
      wikipedia().lookup('hammer', 9),
      new Wikipedia({ baseUrl: other.endpoint, userAgent: 'two/2' }).lookup('hammer', 9),
    ])
    assert.equal(one.text, 'A hammer ')
    assert.equal(two.text, 'Another w')
    assert.ok(other.requests.every(({ userAgent }) => userAgent === 'two/2'))
  })

  test('rejects misuse, naming it', async () => {
    const misused: [() => unknown, RegExp][] = [
      [() => wikipedia().lookup(7 as never), /Expected `term` to be a string, got `7` \(number\)/],
      [() => wikipedia().lookup('x', 0), /`chars`/],
      [() => wikipedia().lookup('x', 1.5), /`chars`/],
      [() => wikipedia({ language: 'en.evil.org/' }), /`language`/],
      [() => wikipedia({ baseUrl: 'file:///etc' }), /`baseUrl`/],
      [() => wikipedia({ timeout: 0 }), /`timeout`/],
      [() => wikipedia({ cacheSize: -1 }), /`cacheSize`/],
      [() => wikipedia({ cacheAge: Number.NaN }), /`cacheAge`/],
    ]
    for (const [use, message] of misused) await assert.rejects(async () => use(), { code: 'INVALID_ARGUMENT', message })
  })
})

describe('results', () => {
  test('are kept, and looked up once however many ask at the same time', async () => {
    const one = wikipedia()
    const together = await Promise.all(Array.from({ length: 20 }, () => one.lookup('tench')))
    assert.equal(wiki.searches('tench'), 1)
    assert.ok(together.every(({ text, cached }) => text === PAGES.Tench && !cached))
    assert.equal(together.filter(({ asked }) => asked).length, 1)
    const again = await one.lookup('tench')
    assert.deepEqual(again, { ...together[0], cached: true, asked: false })
    assert.equal(wiki.searches('tench'), 1)
    await one.lookup('tench', 9)
    assert.equal(wiki.searches('tench'), 2, 'another length is another result')
  })

  test('that nothing was found are kept too', async () => {
    const one = wikipedia()
    await one.lookup('zzzzz')
    assert.deepEqual(await one.lookup('zzzzz'), {
      text: 'No pages found',
      found: false,
      reachable: true,
      page: null,
      cached: true,
      asked: false,
    })
  })

  test('are no more than the cache may hold, though all are asked at once', async () => {
    const one = wikipedia({ cacheSize: 2 })
    const terms = ['hammer', 'tench', 'goldfish', 'C++']
    const lookups = await Promise.all(terms.map((term) => one.lookup(term)))
    assert.ok(lookups.every(({ found }) => found))
    assert.equal((await one.lookup('hammer')).cached, false)
    assert.equal((await one.lookup('hammer')).cached, true)
  })

  test('grow old', async () => {
    const one = wikipedia({ cacheAge: 1 })
    await one.lookup('tench')
    const start = performance.now()
    while (performance.now() - start < 5);
    assert.equal((await one.lookup('tench')).cached, false)
  })
})

describe('a Wikipedia that fails', () => {
  test('is asked again after 429, 5xx, a cut connection and its own errors', async () => {
    const faults: Fault[] = [
      { status: 429, retryAfter: '0' },
      { status: 503, retryAfter: '0' },
      { status: 500, retryAfter: 'Thu, 01 Jan 1970 00:00:00 GMT' },
      'cut',
      'cut-half-way',
      { error: 'ratelimited' },
      { error: 'internal_api_error_DBQueryError' },
    ]
    for (const fault of faults) {
      wiki.faults = [fault]
      assert.equal((await wikipedia().lookup('tench')).found, true, JSON.stringify(fault))
      assert.equal(wiki.searches('tench'), 2, JSON.stringify(fault))
      wiki.requests.length = 0
    }
  })

  test('is asked three times at most', async () => {
    wiki.fault = { status: 503, retryAfter: '0' }
    const lookup = await wikipedia().lookup('tench')
    assert.equal(wiki.requests.length, 3)
    assert.equal(lookup.text, 'Wikipedia could not be reached (it answered 503).')
  })

  test('is not asked sooner than it wants', async (t) => {
    wiki.fault = { status: 429, retryAfter: '60' }
    const one = wikipedia()
    const lookup = await one.lookup('tench')
    assert.equal(lookup.text, 'Wikipedia could not be reached (it answered 429).')
    wiki.fault = null
    t.mock.timers.enable({ apis: ['Date'], now: Date.now() })
    t.mock.timers.setTime(Date.now() + 59_000)
    assert.equal((await one.lookup('tench')).reachable, false)
    assert.equal(wiki.requests.length, 1)
    t.mock.timers.setTime(Date.now() + 1_001)
    assert.equal((await one.lookup('tench')).text, PAGES.Tench)
  })

  test('is left alone for an hour at most, however long it asks for', async (t) => {
    wiki.fault = { status: 429, retryAfter: '86400' }
    const one = wikipedia()
    await one.lookup('tench')
    wiki.fault = null
    t.mock.timers.enable({ apis: ['Date'], now: Date.now() })
    t.mock.timers.setTime(Date.now() + 3_600_001)
    assert.equal((await one.lookup('tench')).text, PAGES.Tench)
  })

  test('is not listened to without end', async () => {
    wiki.fault = { body: JSON.stringify({ batchcomplete: '', more: ' '.repeat(17 << 20) }) }
    assert.equal((await wikipedia().lookup('tench')).reachable, false)
    assert.equal(wiki.requests.length, 1)
  })

  test('is not asked again where that would not help', async () => {
    const cases: [Fault, string][] = [
      [{ status: 403 }, 'it answered 403'],
      [{ body: '<h1>Welcome to the hotel</h1>' }, 'it answered what Wikipedia does not'],
      [{ body: '{"batchcomp' }, 'it answered what Wikipedia does not'],
      [{ body: 'null' }, 'it answered what Wikipedia does not'],
      [{ body: '[]' }, 'it answered what Wikipedia does not'],
      [{ body: '{"error":"unknown client"}' }, 'it answered what Wikipedia does not'],
      [{ body: '{"error":{"message":"unknown client"}}' }, 'it answered what Wikipedia does not'],
      [{ body: '{"query":{"search":"none"}}' }, 'it answered what Wikipedia does not'],
      [{ body: '{"query":{"search":[{"pageid":1}]}}' }, 'it answered what Wikipedia does not'],
      [{ error: 'readapidenied' }, 'it answered readapidenied'],
    ]
    for (const [fault, reason] of cases) {
      wiki.requests.length = 0
      wiki.fault = fault
      const lookup = await wikipedia().lookup('tench')
      assert.equal(lookup.text, `Wikipedia could not be reached (${reason}).`)
      assert.equal(wiki.requests.length, 1)
    }
  })

  test('may be behind a proxy that fails: the reason names the proxies', async (t) => {
    process.env.http_proxy = wiki.endpoint
    t.after(() => delete process.env.http_proxy)
    const far = () => wikipedia({ baseUrl: 'http://wiki.invalid' }).lookup('tench')
    wiki.fault = { status: 407 }
    assert.equal(
      (await far()).text,
      'Wikipedia could not be reached (it answered 407, with the proxies of the environment).',
    )
    await wiki.close()
    assert.equal(
      (await far()).text,
      'Wikipedia could not be reached (ECONNREFUSED, with the proxies of the environment).',
    )
    await wiki.listen()
  })

  test('costs one time limit, not one a look-up; WordNet answers meanwhile', async (t) => {
    t.mock.timers.enable({ apis: ['Date'], now: Date.now() })
    wiki.fault = 'silence'
    const one = wikipedia({ timeout: 50 })
    const lookup = await one.lookup('hammer')
    assert.deepEqual(lookup, {
      text: 'Wikipedia could not be reached (no answer within 0.05 s).',
      found: false,
      reachable: false,
      page: null,
      definition: {
        text: 'a hand tool with a heavy rigid head and a handle; used to deliver an impulsive force by striking',
        source: 'WordNet 3.1',
      },
      cached: false,
      asked: true,
    } satisfies Lookup)
    const asked = wiki.requests.length
    for (const term of ['hammer', 'tench', 'goldfish'])
      assert.equal((await one.lookup(term)).text, 'Wikipedia could not be reached (no answer within 0.05 s).')
    assert.equal(wiki.requests.length, asked)
  })

  test('keeps its time limit though it answers each request in time, and though it wants to be asked again', async () => {
    wiki.fault = { status: 503, retryAfter: '0.03' }
    const lookup = await wikipedia({ timeout: 50 }).lookup('tench')
    assert.equal(lookup.reachable, false)
    assert.ok(wiki.requests.length <= 2)
  })

  test('is found back by the same call', async (t) => {
    t.mock.timers.enable({ apis: ['Date'], now: Date.now() })
    const one = wikipedia()
    const port = Number(new URL(wiki.endpoint).port)
    assert.equal((await one.lookup('hammer')).found, true)
    await wiki.close()
    assert.equal((await one.lookup('hammer')).cached, true, 'what is known stays')
    const away = await one.lookup('tench')
    assert.equal(away.text, 'Wikipedia could not be reached (ECONNREFUSED).')
    await wiki.listen(port)
    const alone = await one.lookup('tench')
    assert.deepEqual([alone.reachable, alone.asked], [false, false], 'left alone for a while')
    t.mock.timers.setTime(Date.now() + 1_001)
    assert.deepEqual(await one.lookup('tench'), {
      text: PAGES.Tench,
      found: true,
      reachable: true,
      page: { title: 'Tench', url: `${wiki.endpoint}/wiki/Tench` },
      cached: false,
      asked: true,
    })
  })

  test('is tried by one look-up at a time; the others do not wait', async (t) => {
    wiki.fault = { status: 503, retryAfter: '60' }
    const one = wikipedia()
    await one.lookup('tench')
    wiki.fault = 'silence'
    t.mock.timers.enable({ apis: ['Date', 'setTimeout'], now: Date.now() + 60_001 })
    const asked = once(wiki, 'request')
    const probe = one.lookup('tench')
    await asked
    assert.equal((await one.lookup('hammer')).text, 'Wikipedia could not be reached (it answered 503).')
    assert.equal(wiki.searches('hammer'), 0)
    t.mock.timers.tick(1_000)
    assert.equal((await probe).reachable, false, 'nor does the one that tries, for long')
  })

  test('is left alone twice as long after each failure', async (t) => {
    wiki.fault = { status: 404 }
    t.mock.timers.enable({ apis: ['Date'], now: Date.now() })
    const one = wikipedia()
    await one.lookup('tench')
    for (const wait of [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]) {
      const { length } = wiki.requests
      t.mock.timers.setTime(Date.now() + wait - 100)
      await one.lookup('tench')
      assert.equal(wiki.requests.length, length, `${wait}`)
      t.mock.timers.setTime(Date.now() + 200)
      await one.lookup('tench')
      assert.equal(wiki.requests.length, length + 1, `${wait}`)
    }
  })
})
