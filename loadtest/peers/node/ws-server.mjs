// A relay on Node `ws`: what one sends, all get. It keeps nothing.
import { WebSocketServer } from 'ws';

const server = new WebSocketServer({ port: Number(process.argv[2]), host: '127.0.0.1', perMessageDeflate: false, clientTracking: true });
server.on('connection', (socket) => {
  socket.on('message', (data) => {
    for (const each of server.clients) each.send(data, { binary: false });
  });
});
