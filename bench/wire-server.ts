/** Serves ZooKeeper's protocol until it is killed: `node wire-server.js <servers>`; prints its ports when it does. */
import { setFlagsFromString } from 'node:v8'
import { embedded } from 'quorate/embedded'

// As `quorate server` does.
setFlagsFromString('--semi-space-growth-factor=1')
const servers = Number(process.argv[2])
const clientPorts = Array.from({ length: servers }, () => 0)
const limits = { maxClientCnxns: 0, maxSessionTimeoutMs: 60_000 }
const ensemble = embedded({ servers, clientPorts, sessionTimeoutMs: 60_000, ...limits })
await ensemble.start()
const leader = ensemble.leader ?? 1
console.log(JSON.stringify({ ports: ensemble.clientPorts, leader }))
