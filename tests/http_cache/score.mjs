// Scores results of the HTTP cache tests as https://cache-tests.fyi does, names what failed, and fails
// itself when a goal is missed.   node score.mjs FOLDER_OF_THE_TESTS RESULTS_JSON

import { readFileSync } from 'node:fs'
import path from 'node:path'
import { pathToFileURL } from 'node:url'

// No proxy with published results has more than 141 and 74.
const GOALS = { required: { pass: 155, of: 160 }, optimal: { pass: 75, of: 105 } }
const FLAWLESS = ['auth', 'cc-response', 'vary', 'invalidation', 'cdn-cache-control']

// The package on npm is of 2020. Where RFC 9111, of 2022, or the tests' own later versions say otherwise,
// a right cache fails its tests; no other required one may. It knows no targeted fields at all.
const OUTDATED = new Map([
  ...['nonnumeric', 'negative', 'float', 'parameter', 'numeric-parameter', 'prefix-twoline', 'dup-0', 'dup-0-twoline', 'dup-old']
    .map(id => [`age-parse-${id}`, 'an invalid Age is ignored, and of several the first counts (RFC 9111, 5.1)']),
  ...['must-revalidate', 'proxy-revalidate', 'no-cache', 's-maxage=2']
    .map(id => [`stale-close-${id}`, 'wants the origin\'s field in the proxy\'s own error']),
  ['304-etag-update-response-Content-MD5', 'a 304 updates all fields but those of RFC 9111, 3.2'],
  ['304-etag-update-response-ETag', 'a 304 with another strong ETag is not of the stored answer (RFC 9111, 4.3.4)']
])

const [folder, file] = process.argv.slice(2)
const load = async name => (await import(pathToFileURL(path.resolve(folder, 'tests', name)))).default
const suites = await load('index.mjs')
const results = JSON.parse(readFileSync(file, 'utf8'))
const isOutdated = !suites.some(suite => suite.id === 'cdn-cache-control')

const tests = new Map()
for (const suite of suites) {
  for (const test of suite.tests) {
    // Those for browsers are not run against a proxy.
    if (!test.browser_only) tests.set(test.id, { kind: 'required', ...test, suite: suite.id })
  }
}

// A test counts as passed when it did and so did all that it depends on; when one of those did not, it
// says nothing, nor does one whose preparation failed.
function verdict (id) {
  const test = tests.get(id)
  const result = results[id]
  if (test === undefined || result === undefined) return 'untested'
  if ((test.depends_on ?? []).some(other => verdict(other) !== 'pass')) return 'dependency'
  if (result === true) return 'pass'
  return result[0] === 'Setup' ? 'setup' : 'fail'
}

const groups = new Map()
const totals = { required: { pass: 0, of: 0 }, optimal: { pass: 0, of: 0 }, check: { pass: 0, of: 0 } }
const missed = []
for (const [id, test] of tests) {
  const group = groups.get(test.suite) ?? { required: [0, 0], optimal: [0, 0], check: [0, 0] }
  groups.set(test.suite, group)
  const how = verdict(id)
  group[test.kind][1]++
  totals[test.kind].of++
  if (how === 'pass') {
    group[test.kind][0]++
    totals[test.kind].pass++
  } else {
    missed.push({ id, how, kind: test.kind, suite: test.suite, reason: results[id]?.[1] ?? '' })
  }
}

const cell = ([pass, of]) => (of === 0 ? '' : `${pass}/${of}`).padStart(9)
console.log('group'.padEnd(20), ' required', '  optimal', '    check')
for (const [name, group] of groups) {
  console.log(name.padEnd(20), cell(group.required), cell(group.optimal), cell(group.check))
}
const total = kind => cell([totals[kind].pass, totals[kind].of])
console.log('total'.padEnd(20), total('required'), total('optimal'), total('check'))
for (const kind of ['required', 'optimal', 'check']) {
  console.log(`\nnot passed, ${kind}:`)
  for (const test of missed.filter(test => test.kind === kind)) {
    console.log(`  ${test.how.padEnd(10)} ${test.suite}/${test.id}: ${test.reason}`)
  }
}

const complaints = []
if (isOutdated) {
  console.log('\nThese are the tests of 2020. Of their required ones these contradict today\'s standard:')
  for (const [id, reason] of OUTDATED) console.log(`  ${id}: ${reason}`)
  delete GOALS.required
  for (const test of missed.filter(test => test.kind === 'required' && !OUTDATED.has(test.id))) {
    complaints.push(`${test.suite}/${test.id} must pass`)
  }
}
for (const [kind, goal] of Object.entries(GOALS)) {
  // Versions differ in the number of tests; the share is the same.
  const wanted = Math.ceil(goal.pass * totals[kind].of / goal.of)
  if (totals[kind].pass < wanted) complaints.push(`${kind}: ${totals[kind].pass}, wanted ${wanted}`)
}
for (const test of missed) {
  if (test.kind === 'required' && FLAWLESS.includes(test.suite) && !isOutdated) {
    complaints.push(`${test.suite}/${test.id} must pass`)
  }
}
if (complaints.length > 0) {
  console.log(`\ngoals missed:\n  ${complaints.join('\n  ')}`)
  process.exit(1)
}
