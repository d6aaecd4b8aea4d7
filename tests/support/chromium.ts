import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'
import { type BrowserContext, chromium } from 'playwright-core'
import { onTestFinished } from 'vitest'

const executablePath = findChromium()

/** Whether tests in a real browser can run. In CI they must. */
export function hasChromium(): boolean {
  if (executablePath !== undefined) return true
  const reason = 'no chromium on the PATH and no CHROMIUM_PATH: the browser test'
  if (process.env.CI) throw new Error(`${reason} cannot run, and in CI it must.`)
  console.warn(`\n!! ${reason} is SKIPPED. On Debian: apt-get install chromium\n`)
  return false
}

/** A browser with this profile folder, which ends with the test. */
export async function launchChromium(
  profile: string,
  options: { args?: readonly string[]; ignoreHTTPSErrors?: boolean } = {},
): Promise<BrowserContext> {
  const browser = await chromium.launchPersistentContext(profile, {
    executablePath: executablePath!,
    headless: true,
    ignoreHTTPSErrors: options.ignoreHTTPSErrors ?? false,
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      ...(options.args ?? []),
    ],
  })
  onTestFinished(() => browser.close())
  return browser
}

function findChromium(): string | undefined {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/bin']
  const candidates = [
    process.env.CHROMIUM_PATH,
    ...folders.flatMap((folder) => [join(folder, 'chromium'), join(folder, 'chromium-browser')]),
  ]
  return candidates.find((path) => path !== undefined && canRun(path))
}

function canRun(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
