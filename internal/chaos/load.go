package chaos

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// traits are in what stores differ.
type traits struct {
	window  time.Duration // how old the answer to a GET may be
	noUsers bool          // there is no index of users, and so neither lists nor revocations
	own     bool          // a client sees its own changes at once, whatever the window
}

// Load is what the browsers have in common.
type Load struct {
	start  time.Time
	urls   []string // of the probes
	client *client
	traits

	mu             sync.Mutex
	sessions       []*Session
	living         map[string]*browser // by the session's ID
	tokens         map[string]*Session // all that were handed out
	found          []Violation
	noVerdict      error
	losses         []span
	shown, counted int            // flashes and increments, of sessions that were judged
	visits         map[string]int // that came to their end, by name
	voids          map[string]int // that did not

	trouble       atomic.Int64 // until when a fault explains that the store does not answer
	stop          func()       // called at the first violation, if not nil
	fits          []string     // rules; others are not the one
	seen          atomic.Bool
	watch         atomic.Pointer[watch]
	Ops, Unknowns atomic.Int64
}

func newLoad(urls []string) *Load {
	return &Load{
		start: time.Now(), urls: urls, living: map[string]*browser{}, tokens: map[string]*Session{},
		visits: map[string]int{}, voids: map[string]int{},
		client: &client{idle: map[string][]*conn{}},
	}
}

func (l *Load) now() int64 { return int64(time.Since(l.start)) }

// settle judges what a session has done, and drops it, so that a long run fits into memory.
func (l *Load) settle(s *Session) {
	l.mu.Lock()
	s.losses = l.losses // the others come later, and explain nothing that was seen before
	l.mu.Unlock()
	found, err := s.Judge()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.found = append(l.found, found...)
	for _, v := range found {
		if !v.Lossy {
			l.broken(v.Rule)
		}
	}
	l.noVerdict = errors.Join(l.noVerdict, err)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, o := range s.ops {
		l.shown += len(o.Flashes)
		if o.Kind == "incr" && o.Outcome == acknowledged {
			l.counted++
		}
	}
	s.ops, s.broken = nil, nil
}

// broken notes that a promise was seen broken.
func (l *Load) broken(rule string) {
	if len(l.fits) > 0 && !slices.Contains(l.fits, rule) {
		return
	}
	l.seen.Store(true)
	if l.stop != nil {
		l.stop()
	}
}

// aftermath is how long a fault may be felt after its end.
const aftermath = 5 * time.Second

func (l *Load) troubled() { l.trouble.Store(max(l.trouble.Load(), l.now()+int64(aftermath))) }

// inTrouble reports whether an operation met a fault, or what comes after one.
func (l *Load) inTrouble(op Op) bool { return op.Begin < l.trouble.Load() }

// explains reports whether the client may get such an answer that it did not want.
func (l *Load) explains(op Op, s *Session) bool {
	switch op.Status {
	case http.StatusServiceUnavailable:
		return l.inTrouble(op)
	case http.StatusConflict: // writes that meet are both kept (K1), but the session may have ended
		return !reads(op.Kind) && (s.EndBegin <= op.End || op.Kind == "renew" || l.inTrouble(op))
	case http.StatusNotFound: // it has ended
		return op.Kind == "revoke"
	}
	return false
}

// watch counts what clients notice of a fault: answers that were lost, refused or slow, to
// what they asked after its begin and before its end.
type watch struct {
	begin int64
	slow  time.Duration // how long an answer takes that has met the fault
	url   string        // of the probe that it befalls, "" for all
	hits  atomic.Int64
	ended atomic.Int64 // its end, 0 while it lasts
}

func (w *watch) see(op Op, base string) {
	ended := w.ended.Load()
	lost := op.Outcome != acknowledged && (op.Status == 0 || op.Status == http.StatusServiceUnavailable) || op.End-op.Begin >= int64(w.slow)
	if lost && op.Begin >= w.begin && (ended == 0 || op.Begin < ended) && (w.url == "" || w.url == base) {
		w.hits.Add(1)
	}
}

// rest waits until sessions that nobody has any more have expired, with the living in use.
func (l *Load) rest(d time.Duration) {
	for until := time.Now().Add(d); time.Now().Before(until); time.Sleep(2 * time.Second) {
		for _, b := range l.living {
			b.do("get", "k0", nil, "")
		}
	}
}

// again tries the tokens of sessions once more that have ended lately: had something brought
// one of them back, it would not have expired yet.
func (l *Load) again() {
	l.mu.Lock()
	tokens, lately := map[string]*Session{}, l.now()-int64(idle)
	for token, s := range l.tokens {
		if s.EndAcked != never && s.EndAcked > lately && !s.visit {
			tokens[token] = s
		}
	}
	l.mu.Unlock()
	for token, s := range tokens {
		b := &browser{load: l, session: s}
		b.do("get", "k0", nil, token)
	}
}

// lists compares each user's list with the living sessions.
func (l *Load) lists() error {
	byID := map[string]*Session{}
	l.mu.Lock()
	for _, s := range l.sessions {
		if !s.visit { // visits go on
			s.losses, byID[s.ID] = l.losses, s
		}
	}
	l.mu.Unlock()
	say := func(id, format string, args ...any) {
		s := byID[id]
		if s == nil {
			s = newSession("unknown", "")
		}
		v := s.violation("list", s.Begin, l.now(), format, args...)
		v.Lossy = s.explained(v)
		l.mu.Lock()
		defer l.mu.Unlock()
		l.found = append(l.found, v)
	}
	for _, b := range l.living {
		if l.noUsers || b.session.explained(Violation{Rule: "list", since: b.session.Begin, at: l.now()}) {
			continue
		}
		want := map[string]bool{}
		for id, other := range l.living {
			want[id] = want[id] || other.user == b.user
		}
		if !b.used() {
			continue // by now it may have expired
		}
		list, body, err := b.list()
		if err != nil {
			return err
		}
		got := map[string]bool{}
		for _, info := range list {
			got[info.ID] = true
			if !want[info.ID] {
				say(info.ID, "%s has %s too: %s", b.user, info.ID, bytes.TrimSpace(body))
			}
		}
		for id, mine := range want {
			if mine && !got[id] && l.living[id].used() {
				say(id, "%s lacks %s: %s", b.user, id, bytes.TrimSpace(body))
			}
		}
	}
	return nil
}

// list asks for the user's sessions, again if the server is busy.
func (b *browser) list() (list []struct{ ID string }, body []byte, err error) {
	for range 5 {
		var request *http.Request
		if request, err = http.NewRequestWithContext(context.Background(), http.MethodGet, b.load.urls[0]+"/sessions", nil); err != nil {
			return nil, nil, err
		}
		request.AddCookie(&http.Cookie{Name: cookieName, Value: b.token()})
		if _, body, err = b.load.client.do(request); err == nil {
			if err = json.Unmarshal(body, &list); err == nil {
				return list, body, nil
			}
		}
		time.Sleep(time.Second)
	}
	return nil, nil, fmt.Errorf("the list of %s: %w: %s", b.user, err, body)
}
