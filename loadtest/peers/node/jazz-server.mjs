// Jazz's sync server: a node of its own library that keeps what passes through in SQLite, and takes every client as one.
// `jazz-run sync` is the same around a command line, whose dependencies take minutes to install.
import { LocalNode } from 'cojson';
import { WasmCrypto } from 'cojson/crypto/WasmCrypto';
import { getBetterSqliteStorage } from 'cojson-storage-sqlite';
import { createWebSocketPeer } from 'cojson-transport-ws';
import { WebSocketServer } from 'ws';

const [port, folder] = process.argv.slice(2);
const crypto = await WasmCrypto.create();
const secret = crypto.newRandomAgentSecret();
const node = new LocalNode(secret, crypto.newRandomSessionID(crypto.getAgentID(secret)), crypto);
node.setStorage(getBetterSqliteStorage(`${folder}/storage.db`));

let come = 0;
new WebSocketServer({ port: Number(port), host: '127.0.0.1', perMessageDeflate: false }).on('connection', (websocket) => {
  websocket.on('error', () => {});
  const id = `client-${come++}`;
  node.syncManager.addPeer(
    createWebSocketPeer({ id, role: 'client', websocket, expectPings: false, batchingByDefault: false, deletePeerStateOnClose: true }),
  );
});
