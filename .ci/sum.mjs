// Adds up Vitest's JSON results: `node .ci/sum.mjs <folder> <script>=<exit code> …`, with one file
// for each script in the folder. Exit code 1 if anything failed.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

const [folder, ...runs] = process.argv.slice(2)
const total = { passed: 0, failed: 0, skipped: 0 }

for (const run of runs) {
  const [script, code] = run.split('=')
  const result = read(join(folder, `${script.replaceAll(':', '-')}.json`))
  let failed = result.numFailedTests
  for (const file of result.testResults) {
    // A file that cannot be loaded, or whose set-up throws, has failed although no test of it has.
    const named = file.assertionResults.some((test) => test.status === 'failed')
    if (file.status === 'failed' && !named) {
      console.error(`${file.name} failed outside its tests.`)
      failed += 1
    }
  }
  // The installation, the build, an unhandled rejection: the run failed, and no test tells.
  if (code !== '0' && failed === 0) {
    console.error(`npm run ${script} failed outside its tests, with exit code ${code}.`)
    failed = 1
  }
  total.passed += result.numPassedTests
  total.failed += failed
  total.skipped += result.numPendingTests + result.numTodoTests
}

const skipped = total.skipped > 0 ? `, ${total.skipped} skipped` : ''
console.log(`${total.passed} passed, ${total.failed} failed${skipped}`)
process.exitCode = total.failed > 0 ? 1 : 0

function read(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8'))
  } catch {
    return {
      numPassedTests: 0,
      numFailedTests: 0,
      numPendingTests: 0,
      numTodoTests: 0,
      testResults: [],
    }
  }
}
