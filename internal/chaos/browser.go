package chaos

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// cookieName is the probe's cookie over plain HTTP.
const cookieName = "session"

// copyName is the cookie with a hybrid's copy.
const copyName = cookieName + "-copy"

const (
	tabs  = 3                      // of a browser; their requests overlap
	think = 20 * time.Millisecond  // how long a tab pauses at most
	slow  = 400 * time.Millisecond // a request that takes longer has met a fault, or a busy machine
)

// Load is what the browsers have in common.
type Load struct {
	start  time.Time
	urls   []string // of the probes
	client *client
	window time.Duration // how old the answer to a GET may be
	// noUsers: the store has no index of users, and so neither lists nor revocations.
	noUsers bool
	own     bool // a client sees its own changes at once, whatever the window

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

	trouble                atomic.Int64 // until when a fault explains that the store does not answer
	stop                   func()       // called at the first violation, if not nil
	fits                   []string     // rules; others are not the one
	seen                   atomic.Bool
	watch                  atomic.Pointer[watch]
	Ops, Unknowns, Refused atomic.Int64
}

func newLoad(urls []string) *Load {
	return &Load{
		start: time.Now(), urls: urls, living: map[string]*browser{}, tokens: map[string]*Session{},
		visits: map[string]int{}, voids: map[string]int{},
		client: &client{idle: map[string][]*conn{}},
	}
}

func (l *Load) now() int64 { return int64(time.Since(l.start)) }

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

func (l *Load) newBrowser(n int) *browser {
	jar, _ := cookiejar.New(nil) // never fails
	b := &browser{load: l, n: n, user: fmt.Sprintf("user%d", n/2), jar: jar}
	if n%3 == 2 {
		b.user, b.alone = fmt.Sprintf("alone%d", n), true
	}
	return b
}

// answer is the union of what the probe's routes answer.
type answer struct {
	Found bool            `json:"found"`
	Value json.RawMessage `json:"value"`
	ID    string          `json:"id"`
	User  string          `json:"user"`
}

// ask is a request.
type ask struct {
	kind, key string     // the probe's route, and the key that it is about
	form      url.Values // its parameters
	token     string     // instead of the jar's
	method    string     // instead of the route's
	header    [2]string  // one more, or instead of the cookies
	status    int        // from 300 on, also an acknowledgement; or see whatever
}

// whatever: a visit asks for an answer that means nothing, such as that to a panic.
const whatever = -1

// do sends one operation to any of the probes and records it. token replaces the jar's if not empty.
func (b *browser) do(kind, key string, form url.Values, token string) Op {
	return b.send(ask{kind: kind, key: key, form: form, token: token})
}

func (b *browser) send(a ask) Op {
	base := b.load.urls[rand.IntN(len(b.load.urls))]
	method, target := http.MethodPost, base+"/"+a.kind
	if reads(a.kind) {
		method = http.MethodGet
	}
	if a.method != "" {
		method = a.method
	}
	if len(a.form) > 0 {
		target += "?" + a.form.Encode()
	}
	op := Op{Kind: a.kind, Key: a.key, Arg: a.form.Get("value") + a.form.Get("text"), Late: a.token != ""}
	request, err := http.NewRequestWithContext(context.Background(), method, target, nil)
	if err != nil {
		panic(err) // the referee's own mistake
	}
	at, _ := url.Parse(base)
	switch {
	case a.header[0] == "Cookie":
	case a.token != "":
		request.AddCookie(&http.Cookie{Name: cookieName, Value: a.token})
		if copied, _ := b.copied.Load().(string); copied != "" {
			request.AddCookie(&http.Cookie{Name: copyName, Value: copied})
		}
	default:
		for _, c := range b.jar.Cookies(at) {
			request.AddCookie(c)
		}
	}
	if a.header[0] != "" {
		request.Header.Set(a.header[0], a.header[1])
	}
	op.Begin = b.load.now()
	response, body, err := b.load.client.do(request)
	op.End = b.load.now()
	b.outcome(&op, base, a.status, response, err)
	if err == nil {
		b.cookies(&op, at, response, a.token != "" || a.header[0] == "Cookie")
		b.read(&op, body)
	}
	b.session.add(op)
	return op
}

// reads reports whether a route of the probe wants a GET.
func reads(kind string) bool {
	return slices.Contains([]string{"get", "flashes", "sessions", "blank", "panic"}, kind)
}

func (b *browser) outcome(op *Op, base string, status int, response *http.Response, err error) {
	b.load.Ops.Add(1)
	var dial *net.OpError
	switch {
	case errors.As(err, &dial) && dial.Op == "dial":
		op.Outcome = refused
		b.load.Refused.Add(1)
	case err != nil:
		op.Outcome = unknown
	default:
		op.Status = response.StatusCode
		if op.Status < 300 || op.Status == status {
			break
		}
		op.Outcome = unknown
		if op.End-op.Begin >= int64(slow) {
			b.load.troubled() // if not by a fault, by a busy machine
		}
		if status != whatever && !b.load.explains(*op) {
			b.broke("unexplained answer", "%v", *op)
		}
	}
	if op.Outcome == unknown {
		b.load.Unknowns.Add(1)
	}
	if w := b.load.watch.Load(); w != nil && status != whatever {
		w.see(*op, base)
	}
}

// aftermath is how long a fault may be felt after its end.
const aftermath = 5 * time.Second

func (l *Load) troubled() { l.trouble.Store(max(l.trouble.Load(), l.now()+int64(aftermath))) }

// explains reports whether the client may get such an answer that it did not want.
func (l *Load) explains(op Op) bool {
	switch op.Status {
	case http.StatusServiceUnavailable:
		return op.Begin < l.trouble.Load()
	case http.StatusConflict: // others have changed or ended the session
		return !reads(op.Kind)
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
	lost := op.Outcome != acknowledged || op.End-op.Begin >= int64(w.slow)
	if lost && op.Begin >= w.begin && (ended == 0 || op.Begin < ended) && (w.url == "" || w.url == base) {
		w.hits.Add(1)
	}
}

// cookies keeps what the response sets.
func (b *browser) cookies(op *Op, at *url.URL, response *http.Response, borrowed bool) {
	lines := 0
	for _, c := range response.Cookies() {
		if c.Name == copyName && c.Value != "" {
			b.copied.Store(c.Value)
		}
		if c.Name != cookieName {
			continue
		}
		lines++
		op.Cookie = "set"
		if c.MaxAge < 0 {
			op.Cookie = "deleted"
		} else if len(c.Value) > 0 {
			op.Token, op.Lasting = c.Value, c.MaxAge > 0
			of := b.session
			if borrowed || op.Kind != "login" && op.Kind != "renew" {
				of = newSession(b.session.Tag, "") // a new one, which nobody ends
			}
			b.load.mu.Lock()
			b.load.tokens[c.Value] = of
			b.load.mu.Unlock()
		}
		if c.Domain != "" {
			op.Careless = "other hosts get it"
		}
		if !c.HttpOnly || c.SameSite != http.SameSiteLaxMode && c.SameSite != http.SameSiteStrictMode || c.Path != "/" {
			op.Careless = "scripts or other websites can use " + c.Raw[len(cookieName)+1+len(c.Value):]
		}
	}
	if lines > 1 {
		op.Careless = "several lines for one cookie"
	}
	if lines > 0 && !strings.Contains(response.Header.Get("Cache-Control"), "no-store") {
		op.Careless = "a cookie that others may get from a cache"
	}
	if !borrowed {
		b.jar.SetCookies(at, response.Cookies())
	}
}

func (b *browser) read(op *Op, body []byte) {
	if op.Outcome != acknowledged || op.Status >= 300 && op.Kind != "flashes" {
		return
	}
	if op.Kind == "flashes" {
		var list []struct{ Kind, Text string }
		_ = json.Unmarshal(body, &list) // an empty list is judged
		for _, f := range list {
			op.Flashes = append(op.Flashes, f.Text)
			if !strings.HasSuffix(f.Text, " "+f.Kind) {
				op.Mixed = f.Kind
			}
		}
		return
	}
	var a answer
	_ = json.Unmarshal(body, &a) // likewise
	op.Found, op.ID, op.User = a.Found, a.ID, a.User
	var text string
	if json.Unmarshal(a.Value, &text) != nil {
		text = string(a.Value)
	}
	if op.Key == counter {
		op.Count, _ = strconv.Atoi(text)
	} else {
		op.Value = text
	}
}

// token is the one in the jar, "" for none.
func (b *browser) token() string {
	at, _ := url.Parse(b.load.urls[0])
	for _, c := range b.jar.Cookies(at) {
		if c.Name == cookieName {
			return c.Value
		}
	}
	return ""
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
		b.jar, _ = cookiejar.New(nil)
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
		b.do("get", "k0", url.Values{"key": {"k0"}}, old)
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
		b.do("set", key, url.Values{"key": {key}, "value": {next()}, "delay": delay}, token)
	case n < 25:
		b.do("delete", key, url.Values{"key": {key}, "delay": delay}, token)
	case n < 60:
		b.do("get", key, url.Values{"key": {key}}, token)
	case n < 72:
		b.do("incr", counter, url.Values{"key": {counter}, "delay": delay}, token)
	case n < 82:
		b.do("get", counter, url.Values{"key": {counter}}, token)
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
		b.do("get", "k0", url.Values{"key": {"k0"}}, token)
	}
	b.do("set", "k0", url.Values{"key": {"k0"}, "value": {s.Tag + " late"}}, token)
	time.Sleep(b.load.window)
	b.do("get", "k0", url.Values{"key": {"k0"}}, token)
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
	op := b.do("set", "k0", url.Values{"key": {"k0"}, "value": {text}, "delay": {strconv.Itoa(delay)}}, token)
	if op.Token == "" {
		return
	}
	if op.End-int64(delay)*int64(time.Millisecond) < sent.Load() && b.used() {
		b.broke("logout wins", "a request that had the session before its end at %v got a cookie: %v", time.Duration(sent.Load()), op)
	}
	other := &browser{load: b.load, session: newSession(b.session.Tag, "")} // it is no part of this history
	for _, key := range []string{"k0", "k1", counter} {
		got := other.send(ask{kind: "get", key: key, form: url.Values{"key": {key}}, token: op.Token})
		if got.User != "" || got.Count > 0 || got.Value != "" && got.Value != text {
			b.broke("logout wins", "a request in flight got a cookie, %v, and with it %v", op, got)
		}
	}
}

// rest waits until sessions that nobody has any more have expired, with the living in use.
func (l *Load) rest(d time.Duration) {
	for until := time.Now().Add(d); time.Now().Before(until); time.Sleep(2 * time.Second) {
		for _, b := range l.living {
			b.do("get", "k0", url.Values{"key": {"k0"}}, "")
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
		b.do("get", "k0", url.Values{"key": {"k0"}}, token)
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

// used reports whether an answer has just shown that the session is there.
func (b *browser) used() bool {
	b.session.mu.Lock()
	defer b.session.mu.Unlock()
	gaps := b.session.unused()
	return gaps[len(gaps)-1].begin > b.load.now()
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
