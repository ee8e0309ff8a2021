"""Events out: what commits leaves as CloudEvents, by signed webhooks.

The outbox is the committed log itself: an op is in it if, and only if, its commit was made. What is kept beside it is
how far each subscription has come, and what waits for it out of turn; so nothing is lost between a commit and its
sending, and the one who commits waits for nobody.

`subscription` is what a configuration says, `outbox` what is sent next (pure), `kept` how that stands in the store,
`telling` what an event says (pure), `cloudevent` and `signature` its form, `sending` the calls, `courier` the task of
one subscription, `webhooks` all of them. No HTTP of ours is served here (`server.http.events` does that).
"""
