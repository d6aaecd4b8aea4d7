import { type ChildProcess, spawn } from 'node:child_process'
import { accessSync, constants, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { type AddressInfo, connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { TEST_CERTIFICATE } from '../support/tls.js'

/** A proxy of somebody else in front of applications, which ends TLS for them. */
export interface RunningProxy {
  readonly http: number
  readonly https: number
  stop(): Promise<void>
}

/** Host names, and the ports of the applications behind them. */
export type Backends = Readonly<Record<string, number>>

interface Kind {
  readonly packet: string
  readonly args: (folder: string) => string[]
  readonly files: (folder: string, ports: Ports, backends: Backends) => Record<string, string>
}

interface Ports {
  readonly http: number
  readonly https: number
}

/** As their manuals say, with the one header that tells how the visitor came. */
const KINDS: Record<'nginx' | 'haproxy', Kind> = {
  nginx: {
    packet: 'nginx-light',
    // Its log goes to stderr, also before it has read the file.
    args: (folder) => ['-e', 'stderr', '-p', folder, '-c', join(folder, 'nginx.conf')],
    files: (folder, ports, backends) => ({
      'cert.pem': TEST_CERTIFICATE.cert,
      'key.pem': TEST_CERTIFICATE.key,
      'nginx.conf': nginxConf(folder, ports, backends),
    }),
  },
  haproxy: {
    packet: 'haproxy',
    args: (folder) => ['-db', '-f', join(folder, 'haproxy.cfg')],
    files: (folder, ports, backends) => ({
      'both.pem': `${TEST_CERTIFICATE.cert}\n${TEST_CERTIFICATE.key}\n`,
      'haproxy.cfg': haproxyCfg(folder, ports, backends),
    }),
  },
}

export type ProxyName = keyof typeof KINDS

/** Whether this proxy is installed. In CI it must be. */
export function hasProxy(name: ProxyName): boolean {
  if (programOf(name) !== undefined) return true
  const reason = `no ${name} on the PATH: its tests`
  if (process.env.CI) throw new Error(`${reason} cannot run, and in CI they must.`)
  console.warn(`\n!! ${reason} are SKIPPED. On Debian: apt-get install ${KINDS[name].packet}\n`)
  return false
}

/** Starts the proxy in the foreground, and gives it once it takes connections. */
export async function startProxy(name: ProxyName, backends: Backends): Promise<RunningProxy> {
  const kind = KINDS[name]
  const ports = await freePorts()
  const folder = mkdtempSync(join(tmpdir(), `coatcheck-${name}-`))
  for (const [file, text] of Object.entries(kind.files(folder, ports, backends))) {
    writeFileSync(join(folder, file), text, { mode: 0o600 })
  }
  const child = spawn(programOf(name)!, kind.args(folder), { stdio: ['ignore', 'ignore', 'pipe'] })
  let said = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text
  })
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()))
  for (const port of [ports.http, ports.https]) {
    while (!(await accepts(port))) {
      if (child.exitCode !== null) throw new Error(`${name} has not started: ${said}`)
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }
  return {
    ...ports,
    stop: async () => {
      end(child)
      await ended
      rmSync(folder, { recursive: true })
    },
  }
}

function end(child: ChildProcess): void {
  if (child.exitCode === null) child.kill('SIGTERM')
}

function nginxConf(folder: string, { http, https }: Ports, backends: Backends): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
  const servers = Object.entries(backends).map(
    ([host, port]) => `
  server {
    listen 127.0.0.1:${http};
    listen 127.0.0.1:${https} ssl http2;
    server_name ${host};
    location / {
      proxy_pass http://127.0.0.1:${port};
      proxy_http_version 1.1;
      proxy_set_header Host $host;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header X-Forwarded-Proto $scheme;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $connection_upgrade;
    }
  }`,
  )
  return `daemon off;
master_process off;
pid ${folder}/nginx.pid;
error_log stderr;
events { worker_connections 256; }
http {
  access_log off;
  ${temporary.map((name) => `${name}_temp_path ${folder}/${name};`).join('\n  ')}
  ssl_certificate ${folder}/cert.pem;
  ssl_certificate_key ${folder}/key.pem;
  map $http_upgrade $connection_upgrade { default upgrade; '' close; }
${servers.join('\n')}
}
`
}

function haproxyCfg(folder: string, { http, https }: Ports, backends: Backends): string {
  const named = Object.entries(backends)
  return `global
  maxconn 256
defaults
  mode http
  option forwardfor
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  timeout tunnel 60s
frontend visitors
  bind 127.0.0.1:${http}
  bind 127.0.0.1:${https} ssl crt ${folder}/both.pem alpn h2,http/1.1
  http-request set-header X-Forwarded-Proto https if { ssl_fc }
  http-request set-header X-Forwarded-Proto http if !{ ssl_fc }
${named.map(([host], at) => `  use_backend app${at} if { hdr(host) -i ${host} }`).join('\n')}
${named.map(([, port], at) => `backend app${at}\n  server app 127.0.0.1:${port}`).join('\n')}
`
}

/** Both at once, so that they are two. */
async function freePorts(): Promise<Ports> {
  const servers = [createServer(), createServer()]
  const [http, https] = await Promise.all(
    servers.map(async (server) => {
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
      return (server.address() as AddressInfo).port
    }),
  )
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
  return { http: http!, https: https! }
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('error', () => resolve(false))
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
  })
}

function programOf(name: string): string | undefined {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin']
  return folders.map((folder) => join(folder, name)).find(canRun)
}

function canRun(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
