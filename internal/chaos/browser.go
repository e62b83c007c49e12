package chaos

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

const (
	tabs  = 3                      // of a browser; their requests overlap
	think = 20 * time.Millisecond  // how long a tab pauses at most
	slow  = 400 * time.Millisecond // a request that takes longer has met a fault, or a busy machine
	// starved is how long a request takes on a machine so busy that the store gives up.
	starved = 2 * time.Second
)

// browser has a cookie jar and one session after the other.
type browser struct {
	load    *Load
	n       int
	user    string
	alone   bool // nobody else is this user
	jar     http.CookieJar
	session *Session
	old     []string // tokens that were replaced
	seq     atomic.Int64
	copied  atomic.Value // the last copy that came, a string: whoever has an old token may have it
	renewal sync.RWMutex // a renewal overlaps nothing: requests with the previous token read nothing (L4)
}

func newJar() http.CookieJar {
	jar, _ := cookiejar.New(nil) // never fails
	return jar
}

func (l *Load) newBrowser(n int) *browser {
	b := &browser{load: l, n: n, user: fmt.Sprintf("user%d", n/2), jar: newJar()}
	if n%3 == 2 {
		b.user, b.alone = fmt.Sprintf("alone%d", n), true
	}
	return b
}

// live has sessions until ctx is over, and is left with a living one.
func (b *browser) live(ctx context.Context) {
	for n := 0; ; n++ {
		if !b.login(ctx, n) {
			return
		}
		b.browse(ctx, time.Now().Add(time.Duration(500+rand.IntN(2000))*time.Millisecond))
		if ctx.Err() != nil && !b.session.Abandoned {
			return // it stays logged in, for the list
		}
		if !b.session.Abandoned {
			b.replaced()
			b.drain()
			b.end()
		}
		b.load.settle(b.session)
		b.jar = newJar()
	}
}

// login starts a session, and reports whether it has.
func (b *browser) login(ctx context.Context, n int) bool {
	b.old = nil
	b.session = newSession(fmt.Sprintf("b%d.%d", b.n, n), b.user)
	b.session.Window = int64(b.load.window)
	for tries := 30; ; {
		op := b.do("login", "", url.Values{"user": {b.user}}, "")
		if op.Outcome == acknowledged {
			b.session.ID, b.session.Begin = op.ID, op.Begin
			b.load.mu.Lock()
			b.load.sessions = append(b.load.sessions, b.session)
			b.load.living[op.ID] = b
			b.load.mu.Unlock()
			return true
		}
		if ctx.Err() != nil { // the last fault may go on for a while
			if tries--; tries == 0 {
				return false
			}
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// browse has tabs that act at the same time.
func (b *browser) browse(ctx context.Context, until time.Time) {
	var wg sync.WaitGroup
	for range tabs {
		wg.Go(func() {
			for ctx.Err() == nil && time.Now().Before(until) && b.step() {
				time.Sleep(rand.N(think))
			}
		})
	}
	wg.Wait()
}

// step does something, and reports whether the tab goes on.
func (b *browser) step() bool {
	if rand.IntN(120) == 0 {
		b.renewal.Lock()
		defer b.renewal.Unlock()
		if b.session.Abandoned {
			return false
		}
		kind, form := "renew", url.Values(nil)
		if rand.IntN(2) == 0 {
			kind, form = "login", url.Values{"user": {b.user}}
		}
		old := b.token()
		op := b.do(kind, "", form, "")
		if op.Outcome == unknown {
			b.leave(op)
			return false
		}
		if op.Outcome == acknowledged {
			time.Sleep(b.load.window)
			b.old = append(b.old, old)
			b.replaced()
		}
		return true
	}
	b.renewal.RLock()
	defer b.renewal.RUnlock()
	if b.session.Abandoned {
		return false
	}
	b.act("")
	return true
}

// replaced tries the tokens that a renewal or a login has replaced.
func (b *browser) replaced() {
	for _, old := range b.old {
		b.do("get", "k0", nil, old)
	}
}

// leave gives a session up whose token was perhaps replaced by one that never came.
func (b *browser) leave(op Op) {
	b.session.Abandoned = true
	b.session.EndBegin = op.Begin
	b.load.mu.Lock()
	defer b.load.mu.Unlock()
	delete(b.load.living, b.session.ID)
}

// kinds are those of flashes. Each text ends with its kind.
var kinds = []string{"info", "warning"}

// act does one of what pages do, with the jar's token or another.
func (b *browser) act(token string) {
	next := func() string { return fmt.Sprintf("%s %d", b.session.Tag, b.seq.Add(1)) }
	key, delay := "k"+strconv.Itoa(rand.IntN(2)), []string{strconv.Itoa(rand.IntN(15))}
	switch n := rand.IntN(100); {
	case n < 22:
		b.do("set", key, url.Values{"value": {next()}, "delay": delay}, token)
	case n < 25:
		b.do("delete", key, url.Values{"delay": delay}, token)
	case n < 60:
		b.do("get", key, nil, token)
	case n < 72:
		b.do("incr", counter, url.Values{"delay": delay}, token)
	case n < 82:
		b.do("get", counter, nil, token)
	case n < 92:
		kind := kinds[rand.IntN(len(kinds))]
		b.do("flash", "", url.Values{"kind": {kind}, "text": {next() + " " + kind}}, token)
	default:
		b.do("flashes", "", nil, token)
	}
}

// drain reads the flashes until it was told that there are none.
func (b *browser) drain() {
	time.Sleep(b.load.window)
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if op := b.do("flashes", "", nil, ""); op.Outcome == acknowledged && len(op.Flashes) == 0 {
			b.session.Drained = true
			return
		}
	}
}

// end ends the session while tabs act, and tries its token afterwards.
func (b *browser) end() {
	token, s := b.token(), b.session
	var wg sync.WaitGroup
	var sent atomic.Int64 // when the first try to end it was
	s.EndBegin = b.load.now()
	for i := range tabs - 1 {
		wg.Go(func() {
			if i == 0 { // in flight across the end
				b.across(token, &sent)
			}
			b.act(token)
		})
	}
	time.Sleep(time.Duration(rand.IntN(20)) * time.Millisecond)
	sent.Store(b.load.now())
	kind, form := "logout", url.Values(nil)
	switch n := rand.IntN(4); {
	case b.load.noUsers:
	case n == 0:
		kind, form = "revoke", url.Values{"id": {s.ID}}
	case n == 1 && b.alone:
		kind, form = "revoke-user", url.Values{"user": {b.user}}
	}
	for deadline := time.Now().Add(15 * time.Second); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		op := b.do(kind, "", form, token)
		// A lost answer may have ended it: then nothing is left to revoke.
		if op.Outcome == acknowledged || kind == "revoke" && op.Status == http.StatusNotFound {
			s.EndAcked = op.End
			break
		}
	}
	b.load.mu.Lock()
	delete(b.load.living, s.ID)
	b.load.mu.Unlock()
	for range 3 {
		b.do("get", "k0", nil, token)
	}
	b.do("set", "k0", url.Values{"value": {s.Tag + " late"}}, token)
	time.Sleep(b.load.window)
	b.do("get", "k0", nil, token)
	wg.Wait()
}

// broke records a promise that the browser has seen broken.
func (b *browser) broke(rule, format string, args ...any) {
	b.session.broke(b.load.now(), rule, format, args...)
	b.load.broken(rule)
}

// across writes for a while. If the handler had the session before the first try to end it,
// what it writes is lost. A new session has only what this request wrote.
func (b *browser) across(token string, sent *atomic.Int64) {
	delay := 20 + rand.IntN(60)
	text := fmt.Sprintf("%s across %d", b.session.Tag, b.seq.Add(1))
	op := b.do("set", "k0", url.Values{"value": {text}, "delay": {strconv.Itoa(delay)}}, token)
	if op.Token == "" {
		return
	}
	if op.End-int64(delay)*int64(time.Millisecond) < sent.Load() && b.used() {
		b.broke("logout wins", "a request that had the session before its end at %v got a cookie: %v", time.Duration(sent.Load()), op)
	}
	other := &browser{load: b.load, session: newSession(b.session.Tag, "")} // it is no part of this history
	for _, key := range []string{"k0", "k1", counter} {
		got := other.send(ask{kind: "get", key: key, token: op.Token})
		if got.User != "" || got.Count > 0 || got.Value != "" && got.Value != text {
			b.broke("logout wins", "a request in flight got a cookie, %v, and with it %v", op, got)
		}
	}
}

// used reports whether an answer has just shown that the session is there.
func (b *browser) used() bool {
	b.session.mu.Lock()
	defer b.session.mu.Unlock()
	gaps := b.session.unused()
	return gaps[len(gaps)-1].begin > b.load.now()
}
