// Clients of Hocuspocus: each message is led by the document's name, and each update is answered with a status.
import * as decoding from 'lib0/decoding';
import * as encoding from 'lib0/encoding';

import { adapter, SYNC } from './yjs.mjs';

const AUTH = 2;
const SYNC_REPLY = 4;
const STATUS = 8;

export const { join, listen, fill, fresh } = adapter({
  path: () => '/',
  head(encoder, room) {
    encoding.writeVarString(encoder, room);
    encoding.writeVarUint(encoder, SYNC);
  },
  greet(client) {
    client.answered = false;
    const encoder = encoding.createEncoder();
    encoding.writeVarString(encoder, client.room);
    encoding.writeVarUint(encoder, AUTH);
    encoding.writeVarUint(encoder, 0);
    encoding.writeVarString(encoder, 'token');
    encoding.writeVarString(encoder, '4.8.0');
    client.socket.send(encoding.toUint8Array(encoder));
  },
  pushed() {},
  took(client, data) {
    const decoder = decoding.createDecoder(data);
    decoding.readVarString(decoder);
    const kind = decoding.readVarUint(decoder);
    if (kind === AUTH) client.step1();
    else if (kind === SYNC || kind === SYNC_REPLY) client.sync(decoder);
    else if (kind === STATUS) {
      client.answered = true;
      client.acked();
    }
  },
});
