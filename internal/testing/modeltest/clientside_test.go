package modeltest

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/sealed"
)

const touchName = cookieName + "-touch"

// carried is what one token of a client-side session carries.
type carried struct {
	values   map[string]int
	flashes  []string
	user     string
	sealed   time.Time // the idle expiry in it
	deadline time.Time
}

// browser is one browser, the servers that it talks to, and the model: what each
// token that was handed out carries, and each touch. Its requests overlap, and their
// responses arrive in any order, or never.
type browser struct {
	random  *rand.Rand
	clock   time.Time
	servers []*core.Manager
	jar     map[string]string
	tokens  map[string]carried
	touches map[string]touch
	pending []*page    // requests whose handler runs
	coming  [][]string // Set-Cookie lines of the responses that are under way
	serial  int
	counts  counts
	steps   []string
}

// touch is for one token.
type touch struct {
	token string
	at    time.Time
}

// page is a request as the model sees it.
type page struct {
	x      *exchange
	s      *core.Session
	m      *core.Manager
	token  string // that it presented; "" if none is alive
	has    carried
	recent time.Time // the latest activity that its cookies tell
	read   bool
	wrote  bool
	out    bool
	shown  bool // wrote, but lost nothing if that is not stored
	skips  bool
}

// breakSealer wraps the sealer to break a promise; breakBackend, the backend.
type (
	breakSealer  func(core.Sealer) core.Sealer
	breakBackend func(core.Backend) core.Backend
)

func newBrowser(seed uint64, c counts, sealer breakSealer, backend breakBackend) *browser {
	b := &browser{
		random: rand.New(rand.NewPCG(seed, 1)),
		clock:  time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
		jar:    map[string]string{}, tokens: map[string]carried{}, touches: map[string]touch{}, counts: c,
	}
	var s core.Sealer = sealed.Cookie(must(sealed.ParseKeyring(sealed.GenerateKey())))
	if sealer != nil {
		s = sealer(s)
	}
	made := core.ClientSide(s)
	if backend != nil {
		made = backend(made)
	}
	for _, after := range []time.Duration{touchAfter, 2 * touchAfter} { // two releases side by side
		b.servers = append(b.servers, must(core.New(made, core.Config{
			IdleTimeout: idle, Lifetime: 3 * idle, TouchAfter: after, FlashLifetime: core.NoTimeout,
			Now: func() time.Time { return b.clock }, Observer: func(context.Context, core.Event) {},
		})))
	}
	return b
}

// alive returns what the jar gives access to now, and when its last activity was.
func (b *browser) alive(token, touched string) (has carried, recent time.Time, ok bool) {
	has, ok = b.tokens[token]
	if !ok {
		return carried{}, recent, false
	}
	recent = has.sealed.Add(-idle)
	if t, known := b.touches[touched]; known && t.token == token && t.at.After(recent) {
		recent = t.at
	}
	ok = b.clock.Before(recent.Add(idle)) && b.clock.Before(has.deadline)
	return has, recent, ok
}

// header returns the Cookie header, at times with a second touch.
func (b *browser) header() (header string, spoilt bool) {
	var pairs []string
	for _, name := range slices.Sorted(maps.Keys(b.jar)) {
		pairs = append(pairs, name+"="+b.jar[name])
	}
	if b.random.IntN(20) == 0 && b.jar[touchName] != "" {
		pairs = append(pairs, touchName+"=planted")
		spoilt = true
	}
	return strings.Join(pairs, "; "), spoilt
}

// begin sends a request, and checks what its handler is given.
func (b *browser) begin() {
	header, spoilt := b.header()
	p := &page{
		x: &exchange{ctx: context.Background(), method: "GET", lines: []string{header}, response: map[string]string{}},
		m: b.servers[b.random.IntN(2)],
	}
	s, err := p.x.load(p.m)
	if err != nil {
		violate("L3", "load: %v", err)
	}
	p.s = s
	touched := b.jar[touchName]
	if spoilt {
		touched = ""
	}
	token := b.jar[cookieName]
	var ok bool
	if p.has, p.recent, ok = b.alive(token, touched); ok {
		p.token = token
	} else {
		p.has = carried{}
	}
	b.note("request with %.6q and touch %.6q: alive %v, last used %v ago", token, touched, ok, b.clock.Sub(p.recent))
	if s.IsNew() == ok {
		violate("T1", "a session is there: %v, want %v", !s.IsNew(), ok)
	}
	p.check()
	p.act(b)
	b.pending = append(b.pending, p)
}

// check compares what the session shows with the model.
func (p *page) check() {
	if got := p.s.UserID(); got != p.has.user {
		violate("K2", "the user is %q, want %q", got, p.has.user)
	}
	for _, key := range []string{"a", "b"} {
		got, _ := core.Get[int](p.s, key)
		if got != p.has.values[key] {
			violate("K1", "%s is %d, want %d", key, got, p.has.values[key])
		}
	}
	var flashes []string
	for _, f := range p.s.PeekFlashes() {
		flashes = append(flashes, f.Text)
	}
	if !slices.Equal(flashes, p.has.flashes) {
		violate("F6", "flashes %q, want %q", flashes, p.has.flashes)
	}
}

// act does what the handler does, to the session and to the model.
func (p *page) act(b *browser) {
	p.read = true
	p.has.values = maps.Clone(p.has.values)
	p.has.flashes = slices.Clone(p.has.flashes)
	if p.has.values == nil {
		p.has.values = map[string]int{}
	}
	b.serial++
	what := b.random.IntN(12)
	switch what {
	case 0, 1:
		key := string(rune('a' + what))
		p.s.Set(key, b.serial)
		p.has.values[key], p.wrote = b.serial, true
	case 2:
		text := fmt.Sprint(b.serial)
		p.s.Flash("info", text)
		p.has.flashes, p.wrote = append(p.has.flashes, text), true
	case 3: // a response that shows a flash is a write
		p.s.Flashes()
		p.wrote, p.has.flashes, p.shown = len(p.has.flashes) > 0, nil, true
	case 4:
		p.s.SkipTouch()
		p.skips = true
	case 5:
		p.s.SkipTouch()
		p.s.Set("a", b.serial)
		p.has.values["a"], p.wrote, p.skips = b.serial, true, true
	case 6:
		if b.random.IntN(3) == 0 {
			p.s.Logout()
			p.out, p.has = p.token != "", carried{}
		}
	case 7:
		if p.has.user == "" {
			p.s.Login("ann")
			p.has.user, p.wrote = "ann", true
			p.has.deadline = time.Time{}
		}
	}
	b.note("  does %d", what)
}

// end commits a request, and checks what its response sets.
func (b *browser) end(p *page) {
	// What would be stored in a token that has expired is refused.
	ended := p.wrote && !p.has.deadline.IsZero() &&
		(!b.clock.Before(p.has.deadline) || p.skips && !b.clock.Before(p.s.IdleExpiresAt()))
	err := p.x.slot.Commit(200)
	if refused := ended && !p.shown; errors.Is(err, core.ErrEnded) != refused || err != nil && !refused {
		violate("C3", "commit: %v, ended %t", err, ended)
	}
	p.x.slot.Finish()
	if ended {
		return
	}
	set := map[string]string{}
	for _, line := range p.x.setCookie {
		name, a := parseCookie(line)
		if _, twice := set[name]; twice {
			violate("C7", "%s is set twice", name)
		}
		set[name] = a.token
	}
	b.note("response to %.6q sets %.40q", p.token, p.x.setCookie)
	token, sets := set[cookieName]
	switch {
	case p.wrote:
		b.written(p, token)
	case p.out:
		b.counts["client-side logouts"]++
		if !sets || token != "" {
			violate("I3", "a logout leaves the cookie")
		}
	case sets:
		violate("T2", "a response that has only read sets the session's cookie")
	default:
		b.touched(p, set[touchName])
	}
	if value, ours := set[touchName]; ours && value == "" && !sets {
		violate("T2", "a touch is deleted and the session's cookie stays")
	}
	if strings.Contains(p.x.lines[0], touchName+"=") && sets {
		if value, ours := set[touchName]; !ours || value != "" {
			violate("E2", "the touch of a token that is replaced stays")
		}
	}
	b.coming = append(b.coming, p.x.setCookie)
}

// written notes what a new token carries.
func (b *browser) written(p *page, token string) {
	b.counts["client-side writes"]++
	if token == "" {
		violate("C1", "a write sets no cookie")
	}
	n := p.has
	if n.deadline.IsZero() {
		n.deadline = b.clock.Add(3 * idle)
	}
	n.sealed = b.clock.Add(idle)
	if p.skips && p.token != "" {
		n.sealed = p.s.IdleExpiresAt() // at least what its record says, at most what its touch adds
		if least, most := b.tokens[p.token].sealed, p.recent.Add(idle); n.sealed.Before(least) || n.sealed.After(most) {
			violate("T2", "a write that skips its touch ends %v, want %v to %v", n.sealed, least, most)
		}
	}
	if n.sealed.After(n.deadline) {
		n.sealed = n.deadline
	}
	if again, ok := b.tokens[token]; ok {
		violate("SEC1", "one token for two states: %v", again)
	}
	b.tokens[token] = n
}

// touched checks when a touch is made. Between the shortest and the longest time
// after which one may be due, the release decides.
func (b *browser) touched(p *page, value string) {
	unused := b.clock.Sub(p.recent)
	may := p.token != "" && p.read && !p.skips
	switch {
	case value != "" && (!may || unused < touchAfter):
		violate("T2", "a touch %v after the last one", unused)
	case value == "" && may && unused >= 2*touchAfter && p.recent.Add(idle).Before(p.has.deadline):
		violate("T1", "no touch, %v after the last one", unused)
	case value != "":
		b.counts["client-side touches"]++
		b.touches[value] = touch{p.token, b.clock}
	}
}

// step does one thing.
func (b *browser) step() {
	pick := func(n int) int { return b.random.IntN(n) }
	switch what := pick(10); {
	case what < 3 && len(b.pending) < 4:
		b.begin()
	case what < 6 && len(b.pending) > 0:
		i := pick(len(b.pending))
		p := b.pending[i]
		b.pending = slices.Delete(b.pending, i, i+1)
		b.end(p)
	case what < 8 && len(b.coming) > 0:
		i := pick(len(b.coming))
		lines := b.coming[i]
		b.coming = slices.Delete(b.coming, i, i+1)
		if i < len(b.coming) {
			b.counts["client-side responses out of order"]++
		}
		b.take(lines)
	case what == 8:
		by := []time.Duration{time.Minute, touchAfter, 2 * touchAfter, 10 * time.Minute, idle - time.Second, idle}[pick(6)]
		b.clock = b.clock.Add(by)
		b.note("%v pass", by)
	case what == 9 && pick(8) == 0:
		b.plant()
	}
}

// take does what a browser does with a response.
func (b *browser) take(lines []string) {
	b.note("arrives: %.40q", lines)
	for _, line := range lines {
		name, a := parseCookie(line)
		if b.jar[name] = a.token; a.token == "" {
			delete(b.jar, name)
		}
	}
}

// plant puts together cookies that do not belong together: of all tokens and touches
// that there ever were.
func (b *browser) plant() {
	tokens, touches := slices.Sorted(maps.Keys(b.tokens)), slices.Sorted(maps.Keys(b.touches))
	if len(tokens) > 0 && b.random.IntN(2) == 0 {
		b.jar[cookieName] = tokens[b.random.IntN(len(tokens))]
	}
	if len(touches) > 0 {
		b.jar[touchName] = touches[b.random.IntN(len(touches))]
	}
	b.counts["client-side cookies that do not belong together"]++
	b.note("planted: %.6q with %.6q", b.jar[cookieName], b.jar[touchName])
}

func (b *browser) note(format string, args ...any) {
	b.steps = append(b.steps, fmt.Sprintf(format, args...))
}

// browse runs one browser, and returns the promise that it found broken, or nil.
func browse(seed uint64, c counts, sealer breakSealer, backend breakBackend) (found *violation, steps string) {
	b := newBrowser(seed, c, sealer, backend)
	found = violated(func() {
		for range 150 {
			b.step()
		}
	})
	return found, fmt.Sprintf("%v\nseed %d\n%s", found, seed, strings.Join(b.steps, "\n"))
}

// TestModelClientSide runs browsers whose sessions are in their cookies.
func TestModelClientSide(t *testing.T) {
	n := max(*schedules/10, 1)
	if testing.Short() {
		n = min(n, 300)
	}
	c := counts{}
	for i := range n {
		if v, steps := browse(*firstSeed+uint64(i), c, nil, nil); v != nil {
			t.Fatal(steps)
		}
	}
	for _, what := range []string{
		"client-side writes", "client-side touches", "client-side logouts",
		"client-side responses out of order", "client-side cookies that do not belong together",
	} {
		if t.Logf("%d %s", c[what], what); c[what] < n/10 {
			t.Errorf("only %d %s in %d runs", c[what], what, n)
		}
	}
}

// wrapped is a client-side backend that does some things wrong.
type wrapped struct {
	core.Backend
	load  func(core.Backend, context.Context, core.Scope, core.Tokens) (core.LoadResult, error)
	touch func(core.Backend, context.Context, core.Scope, *core.Record, core.Handle) (core.Handle, core.Tokens, error)
}

func (b *wrapped) WithConfig(c core.Config) (core.Backend, error) {
	inner, err := b.Backend.(core.Configurable[core.Backend]).WithConfig(c)
	return &wrapped{inner, b.load, b.touch}, err
}

func (b *wrapped) Load(ctx context.Context, scope core.Scope, presented core.Tokens) (core.LoadResult, error) {
	return b.load(b.Backend, ctx, scope, presented)
}

func (b *wrapped) Touch(ctx context.Context, scope core.Scope, r *core.Record, base core.Handle) (core.Handle, core.Tokens, error) {
	return b.touch(b.Backend, ctx, scope, r, base)
}

// anyToken is a sealer whose touches are good for the token that was opened last.
type anyToken struct {
	core.Sealer
	last string
}

func (s *anyToken) Open(ctx context.Context, scope core.Scope, token string) (*core.Record, error) {
	r, err := s.Sealer.Open(ctx, scope, token)
	switch {
	case err != nil:
	case scope.Purpose == "session":
		s.last = token
	default:
		hash := sha256.Sum256([]byte(s.last))
		r.ID = core.ID(hash[:16])
	}
	return r, err
}

// TestModelCatchesBrokenTouches shows that the client-side model can fail.
func TestModelCatchesBrokenTouches(t *testing.T) {
	for name, way := range map[string]struct {
		sealer   breakSealer
		backend  breakBackend
		promises []string
	}{
		"a touch seals the whole session anew": {nil, func(b core.Backend) core.Backend {
			return &wrapped{b, core.Backend.Load, func(b core.Backend, ctx context.Context, scope core.Scope, r *core.Record, base core.Handle) (core.Handle, core.Tokens, error) {
				h, token, err := b.Save(ctx, scope, r, base, false)
				return h, core.Tokens{Session: token}, err
			}}
		}, []string{"T2"}},
		"a touch is good for any token": {func(s core.Sealer) core.Sealer { return &anyToken{Sealer: s} }, nil, []string{"T1"}},
		"touches are not read": {nil, func(b core.Backend) core.Backend {
			return &wrapped{b, func(b core.Backend, ctx context.Context, scope core.Scope, presented core.Tokens) (core.LoadResult, error) {
				return b.Load(ctx, scope, core.Tokens{Session: presented.Session})
			}, core.Backend.Touch}
		}, []string{"T1", "T2"}},
		"no touch is made": {nil, func(b core.Backend) core.Backend {
			return &wrapped{b, core.Backend.Load, func(_ core.Backend, _ context.Context, _ core.Scope, _ *core.Record, base core.Handle) (core.Handle, core.Tokens, error) {
				return base, core.Tokens{}, nil
			}}
		}, []string{"T1"}},
	} {
		t.Run(name, func(t *testing.T) {
			mustCatch(t, 500, way.promises, func(seed uint64) (*violation, string) {
				return browse(seed, counts{}, way.sealer, way.backend)
			})
		})
	}
}
