package devpage

import "github.com/satchel-go/satchel/core"

// Explained reports whether there are words for a kind and a reason.
func Explained(kind core.EventKind, reason core.Reason) bool {
	n, ok := texts[occasion{kind, reason}]
	if kind == core.EventRejected && reason == "" || kind == core.EventDropped && reason == "" || kind == core.EventTooLate && reason == "" {
		return ok // the text for reasons of a later release
	}
	return ok && n.What != "" && n.Why != "" && n.Level != ""
}

// Tell reports an event to the page, as a Manager of that name does.
func (p *Page) Tell(manager string, e core.Event) { p.observe(manager, false, e) }

// Words returns all that the page may say of an event, where tokens travel in a header
// or not, to a page that knows nothing of the session and to one that knows its fate.
func Words(e core.Event, header bool) (all string) {
	now := e.Time
	for _, f := range []fate{{}, {seen: now, ended: now}, {seen: now, expires: now}, {seen: now, expires: now.Add(1)}, {seen: now, expires: now.Add(1), replaced: now}} {
		n, _ := explain(e, f, header)
		all += n.What + " " + n.Why + " " + n.Do + " "
	}
	return all
}

// Most returns the largest number of users, sessions or notes of any entry, and
// how many paths the page knows as its own.
func (p *Page) Most() (of, own int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, e := range p.entries {
		of = max(of, len(e.users), len(e.ids), len(e.was), len(e.notes))
	}
	return of, len(p.own)
}

// Size returns how much the page remembers.
func (p *Page) Size() (entries, requests, sessions, bytes int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, e := range p.entries {
		bytes += len(e.method) + len(e.path)
		for _, list := range [][]string{e.ids, e.users, e.was} {
			for _, s := range list {
				bytes += len(s)
			}
		}
		for _, n := range e.notes {
			bytes += len(n.What) + len(n.Why) + len(n.Do) + len(n.Detail) + len(n.Err)
		}
	}
	return len(p.entries), len(p.requests), len(p.fates), bytes
}
