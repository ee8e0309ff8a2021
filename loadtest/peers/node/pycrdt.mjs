// Clients of pycrdt-websocket, which speaks y-websocket's protocol: it has no acknowledgement, so behind each update goes
// the question what we lack, and the answer to that comes once the update was applied.
import * as decoding from 'lib0/decoding';
import * as encoding from 'lib0/encoding';
import * as sync from 'y-protocols/sync';

import { adapter, SYNC } from './yjs.mjs';

export const { join, listen, fill, fresh } = adapter({
  path: (room) => `/${room}`,
  head(encoder) {
    encoding.writeVarUint(encoder, SYNC);
  },
  greet(client) {
    client.answered = false;
    client.asked = 1;
    client.step1();
  },
  pushed(client) {
    client.step1();
  },
  took(client, data) {
    if (data[0] !== SYNC) return;
    const decoder = decoding.createDecoder(data);
    decoding.readVarUint(decoder);
    if (client.sync(decoder) !== sync.messageYjsSyncStep2) return;
    // The first answer is to the greeting.
    if (client.asked > 0) client.asked -= 1;
    else {
      client.answered = true;
      client.acked();
    }
  },
});
