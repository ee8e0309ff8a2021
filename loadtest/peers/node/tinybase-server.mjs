// TinyBase's WebSocket server with a file for each path, as its guide to synchronization has it.
import { createMergeableStore } from 'tinybase';
import { createFilePersister } from 'tinybase/persisters/persister-file';
import { createWsServer } from 'tinybase/synchronizers/synchronizer-ws-server';
import { WebSocketServer } from 'ws';

const [port, folder] = process.argv.slice(2);
createWsServer(
  new WebSocketServer({ port: Number(port), host: '127.0.0.1', perMessageDeflate: false }),
  (path) => createFilePersister(createMergeableStore(), `${folder}/${path.replace(/[^\w-]/g, '_')}.json`),
);
