// Takes the pictures of the README from the running example: `node scripts/screenshots.mjs`.
// Needs the build (`npm run build`) and a Chromium: CHROMIUM_PATH, or chromium on the PATH.
import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { chromium } from 'playwright-core'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const target = process.argv[2] ?? join(root, 'docs/images')

const PICTURES = [
  { file: 'app-desktop.png', path: '/', viewport: { width: 1040, height: 740 } },
  { file: 'app-phone.png', path: '/devices', viewport: { width: 360, height: 740 } },
]
// `--all` shows every page in both schemes and both widths, to look at while changing the design.
const ALL = ['/', '/session/new', '/users', '/devices', '/nowhere'].flatMap((path) =>
  ['light', 'dark'].flatMap((colorScheme) =>
    [360, 1040].map((width) => ({
      file: `${path.replaceAll('/', '-')}-${colorScheme}-${width}.png`,
      path,
      colorScheme,
      viewport: { width, height: width === 360 ? 720 : 640 },
      signedIn: path !== '/session/new',
    })),
  ),
)

const data = mkdtempSync(join(tmpdir(), 'coatcheck-screenshots-'))
const server = spawn(process.execPath, ['examples/app/server.js'], {
  cwd: root,
  env: { ...process.env, PORT: '0', COATCHECK_DATA: data },
  stdio: ['ignore', 'pipe', 'inherit'],
})
const browser = await chromium.launch({
  executablePath: findChromium(),
  args: ['--no-sandbox', '--disable-gpu', '--hide-scrollbars'],
})

try {
  const url = await address(server)
  const agents = [
    'Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Mobile Safari/604.1',
    'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0',
  ]
  for (const userAgent of agents) await signIn(await browser.newContext({ userAgent }), url)
  const visitor = await browser.newContext()
  await signIn(visitor, url)
  const stranger = await browser.newContext()

  for (const picture of process.argv.includes('--all') ? ALL : PICTURES) {
    const page = await (picture.signedIn === false ? stranger : visitor).newPage()
    await page.emulateMedia({ colorScheme: picture.colorScheme ?? 'light' })
    await page.setViewportSize(picture.viewport)
    await page.goto(url + picture.path)
    await page.screenshot({
      path: join(target, picture.file),
      fullPage: process.argv.includes('--all'),
    })
    await page.close()
  }
} finally {
  await browser.close()
  server.kill()
  rmSync(data, { recursive: true, force: true })
}

async function signIn(context, url) {
  const page = await context.newPage()
  for (let visit = 0; visit < 3; visit++) await page.goto(url)
  await page.goto(`${url}/session/new`)
  await page.getByLabel('Name').fill('ada')
  await page.getByLabel('Password').fill('bernoulli-numbers')
  await page.getByRole('button', { name: 'Sign in' }).click()
  await page.waitForURL('**/users')
  await page.close()
}

/** The URL in the first line that the server prints. */
async function address({ stdout }) {
  for await (const line of createInterface({ input: stdout })) {
    const found = /http:\S+/.exec(line)
    if (found) return found[0]
  }
  throw new Error('The example did not start.')
}

function findChromium() {
  const folders = (process.env.PATH ?? '').split(delimiter)
  const candidates = [
    process.env.CHROMIUM_PATH,
    ...folders.flatMap((folder) => [join(folder, 'chromium'), join(folder, 'google-chrome')]),
  ]
  const found = candidates.find((path) => path && existsSync(path))
  if (!found) throw new Error('No Chromium found; CHROMIUM_PATH says where it is.')
  return found
}
