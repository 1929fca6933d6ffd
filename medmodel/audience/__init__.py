"""Audience address: what the presenter shows, for phones in the room, and nothing else.

Off until the presenter opens it. A process of its own, which holds nothing but the
slide that was published last, serves it on an address and port of its own:

* `slide`: what is shown, as data.
* `interfaces`: the addresses that this machine can be reached at.
* `room`: the presenter's side: opens the address, publishes, closes it.
* `process`: starts the process that serves it, and another one where that dies.
* `records`: seats and answers in memory that both processes share.
* `nickname`: what is left of a name that a phone gives itself.
* `accept_language`: the language that a phone prefers.
* `ballot`: what phones of a reading room answer.
* `application`: what the address answers: one page, its live events, its images.
* `connections`: limits on what a connection may hold up.
* `__main__`: the process.

Phones can send nothing until a reading room asks them about an image; then they can
POST to three paths below the code, and nowhere else.
"""
