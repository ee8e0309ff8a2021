// Clients of the relay on Node `ws`.
import { RawSocket } from './raw.mjs';

const FILLER = 'x'.repeat(280);

export async function join(where) {
  const socket = await RawSocket.open(where.port);
  socket.chunks = () => {};
  return {
    // Nothing acknowledges; what is measured is when the others have it.
    write: async (key, value) => socket.send(`${key} ${value} ${FILLER}`),
    close: () => socket.close(),
  };
}

export async function listen(where, _, heard) {
  const socket = await RawSocket.open(where.port);
  socket.chunks = heard;
  return socket;
}
