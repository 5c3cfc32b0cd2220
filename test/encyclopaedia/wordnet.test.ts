import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { choose, define } from '#src/encyclopaedia/wordnet.js'

describe('a definition of WordNet', () => {
  test('is of the sense that all synonyms of a label share', async () => {
    const senses: Record<string, RegExp> = {
      'tench, Tinca tinca': /^freshwater dace-like game fish/,
      cock: /^adult male bird$/,
      kite: /^any of several small graceful hawks/,
      drake: /^adult male of a wild or domestic duck$/,
      jay: /^crested largely blue bird$/,
      'mouse, computer mouse': /^a hand-operated electronic device/,
      nail: /^a thin pointed piece of metal/,
      hammer: /^a hand tool with a heavy rigid head/,
      bow: /^a weapon for shooting arrows/,
      Wooden_spoon: /^a spoon made of wood$/,
      plate: /^a main course served on a plate$/,
      'maillot, tank suit': /^a woman's one-piece bathing suit$/,
      maillot: /^tights for dancers or gymnasts$/,
      bubble: /^a hollow globule of gas/,
      orange: /^round yellow to orange fruit/,
      crane: /^large long-necked wading bird/,
      'American alligator, Alligator mississippiensis': /^large alligator of the southeastern/,
      'groom, bridegroom': /^a man participant in his own marriage/,
      'punching bag, punch bag, punching ball, punchball': /^an inflated ball or bag/,
    }
    for (const [label, wanted] of Object.entries(senses)) assert.match((await define(label)) ?? '', wanted, label)
  })

  test('is of the thing one can see, where a label is no class of ImageNet', async () => {
    assert.match((await define('spider'))!, /^predatory arachnid/)
    assert.match((await define('Lincoln Memorial'))!, /memorial building/)
    assert.match((await define('cup of tea, HAMMER'))!, /.+/)
  })

  test('is of a kind of things before somebody or something of that name', async () => {
    assert.match((await define('carter'))!, /^someone whose work is driving carts/)
    assert.match((await define('currier'))!, /^a craftsman who curries leather/)
  })

  test('of a name follows what it says in parentheses, whatever its company', async () => {
    for (const label of ['crane (machine), crane', 'crane (machine)'])
      assert.match((await define('crane (machine)', label, ['hen', 'cock']))!, /lifts and moves heavy objects/)
    assert.match((await define('crane (bird)', 'crane (bird), crane'))!, /wading bird/)
  })

  test('of a crane follows its company', async () => {
    const birds = ['little blue heron, Egretta caerulea', 'bustard', 'white stork, Ciconia ciconia']
    const machines = ['harvester, reaper', 'forklift', 'drilling platform, offshore rig']
    assert.match((await define('crane', 'crane', ['crane', ...birds]))!, /wading bird/)
    assert.match((await define('crane', 'crane', ['crane', ...machines]))!, /lifts and moves heavy objects/)
    assert.match((await define('crane', 'crane', ['crane', 'forklift']))!, /lifts and moves heavy/, 'not its own')
  })

  test('has no examples in it', async () => {
    for (const word of ['hammer', 'cup', 'orange', 'volcano']) assert.doesNotMatch((await define(word))!, /"/)
  })

  test('is found from the first noun to the last, and none where there is none', async () => {
    for (const noun of ["'hood", '.22', 'abacus', 'Zyrian', 'zymurgy']) assert.ok(await define(noun), noun)
    for (const word of ['', ' ', ',', 'zzzzz', '~', 'été', '__proto__', 'constructor!', 'This'])
      assert.equal(await choose(word), undefined, word)
  })

  test('is found by what the picture is called, where the label is not known', async () => {
    assert.match((await define('hammer', 'n03481172'))!, /hand tool/)
  })
})
