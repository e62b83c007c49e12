package devpage

import (
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/satchel-go/satchel/core"
)

// entry is a request, or what happened outside of requests in between.
type entry struct {
	number   uint64 // zero outside of requests
	manager  string
	time     time.Time
	method   string
	path     string
	finished bool
	status   int
	ids      []string // sessions involved
	users    []string
	was      []string // users of sessions that are over or not proven, for the search
	notes    []note
	more     int // how many notes had no room
}

// fate is what is known of a session.
type fate struct {
	manager  string
	user     string    // who was logged in; "" if no user was
	seen     time.Time // when it was last used
	expires  time.Time
	replaced time.Time // when its token was replaced; zero if never
	ended    time.Time // zero unless it was ended
	how      string    // how it was ended
}

// observe records an event. It keeps copies, because adapters may reuse their
// buffers. header says whether the manager's tokens travel in one.
func (p *Page) observe(manager string, header bool, e core.Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if e.Request.Number != 0 && slices.Contains(p.own, e.Request.Path) {
		return
	}
	claimed := p.lookUp(manager, e)
	n, shown := explain(e, claimed, header)
	p.learn(manager, e)
	entry := p.entry(manager, e)
	if e.Kind == core.EventFinished {
		entry.finished, entry.status = true, e.Status
	}
	for _, id := range []core.ID{e.ID, e.Claimed} {
		if !id.IsZero() {
			entry.ids = remember(entry.ids, id.String())
		}
	}
	if e.User != "" {
		entry.users = remember(entry.users, cut(e.User))
	}
	if claimed.user != "" {
		entry.was = remember(entry.was, claimed.user)
	}
	switch {
	case !shown:
	case len(entry.notes) < maxNotes:
		entry.notes = append(entry.notes, n)
	default:
		entry.more++
	}
}

// entry returns the entry that e belongs to.
func (p *Page) entry(manager string, e core.Event) *entry {
	if e.Request.Number != 0 {
		if old, ok := p.requests[e.Request.Number]; ok {
			return old
		}
	} else if n := len(p.entries); n > 0 {
		if last := p.entries[n-1]; last.number == 0 && last.manager == manager && len(last.notes) < maxNotes {
			return last
		}
	}
	if len(p.entries) == maxEntries {
		delete(p.requests, p.entries[0].number)
		p.entries = slices.Delete(p.entries, 0, 1)
	}
	added := &entry{
		number: e.Request.Number, manager: manager, time: e.Time,
		method: cut(e.Request.Method), path: cut(e.Request.Path),
	}
	p.entries = append(p.entries, added)
	if added.number != 0 {
		p.requests[added.number] = added
	}
	return added
}

// lookUp returns what is known of the session whose token was refused.
func (p *Page) lookUp(manager string, e core.Event) fate {
	f, ok := p.fates[e.Claimed]
	if !ok || f.manager != manager {
		return fate{}
	}
	known := *f
	if all := p.revoked[manager].at; known.ended.IsZero() && !known.seen.After(all) {
		known.ended, known.how = all, "RevokeAll ended every session"
	}
	return known
}

// learn records what became of a session.
func (p *Page) learn(manager string, e core.Event) {
	if e.Kind == core.EventRevoked && e.ID.IsZero() {
		p.revoked[manager] = revoked{e.Time}
	}
	if e.ID.IsZero() {
		return
	}
	f, ok := p.fates[e.ID]
	if !ok {
		if len(p.known) == maxSessions {
			delete(p.fates, p.known[0])
			p.known = slices.Delete(p.known, 0, 1)
		}
		f = &fate{manager: manager}
		p.fates[e.ID] = f
		p.known = append(p.known, e.ID)
	}
	switch e.Kind {
	case core.EventLogout:
		f.ended, f.how = e.Time, "its own request logged it out"
	case core.EventRevoked:
		f.ended, f.how = e.Time, "it was revoked"+because(e.Reason)
	case core.EventLogin, core.EventRenewed:
		if ok { // a session that begins with its login had no other token
			f.replaced = e.Time
		}
	}
	if e.User != "" {
		f.user = cut(e.User)
	}
	if !e.Expires.IsZero() {
		f.expires, f.seen = e.Expires, e.Time
	}
}

// because explains why a session was revoked.
func because(r core.Reason) string {
	switch r {
	case core.ReasonLimit:
		return ", to make room for a newer login of the same user (Config.SessionLimit)"
	case core.ReasonCheck:
		return " by Config.Check"
	}
	return ""
}

// remember adds s to a short list without repeating it.
func remember(list []string, s string) []string {
	if slices.Contains(list, s) || len(list) == maxNotes {
		return list
	}
	return append(list, s)
}

// cut returns a copy of s that is not too long.
func cut(s string) string {
	if len(s) <= maxText {
		return strings.Clone(s)
	}
	n := maxText
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}
