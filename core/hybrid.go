package core

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/satchel-go/satchel/core/internal/cookie"
)

// Hybrid returns a [Backend] that keeps sessions in store, as [ServerSide] does, and gives
// each client a copy of its session, sealed by sealer. For as long as window, a request
// that only reads is answered from the copy, and store is not asked. All others ask it,
// so that revocation is immediate for them: see [Traits.Window].
//
// A window is between 1 second and 15 minutes, and at most the idle timeout. It is how long
// a page may show what has changed or ended meanwhile, plus the difference between the
// servers' clocks. If store is away, requests that only read are served for as long.
//
// Tokens and entries are those of ServerSide. So an application can go from one to the other
// and back, at once or instance by instance, and logs nobody out. The copy travels in a
// cookie of its own, NAME-copy, which opens beside the token that it was made for and
// nowhere else. Responses that read the session renew it, once per window, unless they may
// be cached for everyone. A copy of more than 2,800 characters is not handed out. What the
// copy contains is what [ClientSide] would show of it: with the sealers of package sealed,
// nothing.
//
// [New] refuses a header as the [Carrier]. In a [Migration], Hybrid is ServerSide.
func Hybrid(sealer Sealer, store Store, window time.Duration) Backend {
	return &hybrid{&serverSide{store: store, now: time.Now}, sealer, window}
}

type hybrid struct {
	*serverSide
	sealer Sealer
	maxAge time.Duration // of copies
}

const (
	minCopyAge = time.Second
	maxCopyAge = 15 * time.Minute

	// copySkew is how far ahead the clock of the server that made a copy may be.
	copySkew = 5 * time.Second

	// maxCopy is the length of the longest copy. With it, a request still fits into what
	// servers accept by default: see CheckHeadLimit.
	maxCopy = 2800
)

// WithConfig implements [Configurable].
func (b *hybrid) WithConfig(c Config) (Backend, error) {
	switch {
	case b.sealer == nil:
		return nil, errors.New("core: Hybrid without a sealer: give it one, such as sealed.Cookie(keys)")
	case b.store == nil:
		return nil, errors.New("core: Hybrid without a store: give it one, such as memstore.New(memstore.Config{})")
	case b.maxAge < minCopyAge || b.maxAge > maxCopyAge:
		return nil, fmt.Errorf("core: Hybrid: the window is %v: choose between %v and %v. To do without copies, use ServerSide with the same store: it logs nobody out", b.maxAge, minCopyAge, maxCopyAge)
	case c.Carrier != Carrier{}:
		return nil, fmt.Errorf("core: Hybrid: copies travel in cookies, and Config.Carrier is %v: use ServerSide for this Manager, on the same store if you like: %w", c.Carrier, ErrUnsupported)
	}
	sealer, err := configured(b.sealer, c)
	if err != nil {
		return nil, err
	}
	inner, err := b.serverSide.WithConfig(c)
	if err != nil {
		return nil, err
	}
	return &hybrid{inner.(*serverSide), sealer, b.maxAge}, nil
}

// Traits implements [Backend].
func (b *hybrid) Traits() Traits {
	t := b.serverSide.Traits()
	t.Window = b.maxAge // and no longer if the store has a window: what has no copy is asked for freshly
	return t
}

// A copy is the time for which it speaks, in Unix milliseconds, a dot, and the sealed
// record. In place of the session's ID, that has a hash of the token's secret and the time.

// lives reports whether a copy, which may be anything, claims to be of within the window.
func (b *hybrid) lives(copied string) bool {
	at, _, _ := strings.Cut(copied, ".")
	ms, err := strconv.ParseInt(at, 10, 64)
	age := b.now().Sub(time.UnixMilli(ms))
	return err == nil && age >= -copySkew && age < b.maxAge
}

// open returns the session of which a client presents a copy.
func (b *hybrid) open(ctx context.Context, scope Scope, presented Tokens) (l LoadResult, ok bool) {
	copied := presented.Touch
	if copied == "" || !b.lives(copied) {
		return l, false
	}
	id, sec, ok := parseToken(presented.Session)
	if !ok {
		return l, false
	}
	h := &serverHandle{id: id, current: hashSecret(scope, id, sec)}
	at, sealed, _ := strings.Cut(copied, ".")
	scope.Purpose = purposeCopy
	r, err := b.sealer.Open(ctx, scope, sealed)
	if err != nil || r.ID != copyID(&h.current, at) {
		return l, false
	}
	l = LoadResult{Record: *r, Handle: h}
	l.Record.ID = id
	return l, true
}

// seal returns a copy of r, as the store had it when it was asked. It returns "" if there
// can be none.
func (b *hybrid) seal(ctx context.Context, scope Scope, r *Record, h Handle, asked int64) string {
	at := strconv.FormatInt(asked, 10)
	bound := *r
	bound.ID = copyID(&h.(*serverHandle).current, at)
	if r.size() > maxCopy { // so that the largest sessions do not pay for it
		return ""
	}
	scope.Purpose = purposeCopy
	sealed, err := b.sealer.Seal(ctx, scope, &bound)
	if copied := at + "." + sealed; err == nil && len(copied) <= maxCopy {
		return copied
	}
	return ""
}

// copyID returns the ID of a copy from the time at, of a session whose token's secret
// has this hash. Half of SHA-256 is enough, as for a touch.
func copyID(current *hash, at string) ID {
	var buf [len(hash{}) + 20]byte
	sum := sha256.Sum256(append(append(buf[:0], current[:]...), at...))
	return ID(sum[:len(ID{})])
}

// copyState says how the copy that a request's client has stands to the session.
type copyState uint8

const (
	copyGood  copyState = iota // or there are no copies
	copyOld                    // the client should have another
	copyWrong                  // the request has changed the session: it must not be read
)

// copyIs notes that the client's copy is no better than state.
func (s *Session) copyIs(state copyState) {
	if s.m.copies != nil {
		s.copyState = max(s.copyState, state)
		if s.rare != nil {
			s.rare.copyLine = ""
		}
	}
}

// copyNow returns how the client's copy stands to the session. Beside a token that gave none,
// it is of no use.
func (s *Session) copyNow() copyState {
	if s.fruitless && s.m.copies != nil {
		return max(s.copyState, copyOld)
	}
	return s.copyState
}

// hasCopy reports whether the request's state is from the client's copy. Its handle then
// knows no version: before anything is stored, the state is fetched.
func (s *Session) hasCopy() bool { return s.aged && s.m.copies != nil }

// withCopy returns lines and the one that sets the client's copy right. If that would be
// alone, it comes only with a page that depends on the session and is not cached for all.
func (s *Session) withCopy(lines []string, alone bool) []string {
	switch {
	case s.copyNow() == copyGood, s.phase == phaseReadOnly, s.handedOut && !s.stored:
		return lines
	case alone && (!s.used || s.broken || cachedForAll(s.ex)):
		return lines
	}
	r := s.seldom()
	if r.copyLine == "" {
		r.copyLine = s.newCopy()
	}
	if r.copyLine == "" {
		return lines
	}
	return append(slices.Clip(lines), r.copyLine)
}

// newCopy returns the line with a copy of what the store has answered to this request. If
// there can be none, the line deletes the one that the client has; "" if it has none.
func (s *Session) newCopy() string {
	m := s.m
	if s.stored && s.asked != 0 {
		if copied := m.copies.seal(s.parent(), m.scope, &s.base, s.handle, s.asked); copied != "" {
			line, _ := m.carrier.secondLine(copied, m.config.Now(), time.UnixMilli(s.asked).Add(m.copies.maxAge))
			return line
		}
		if !m.large.Swap(true) {
			s.emit(Event{Kind: EventLargeCookie, Detail: fmt.Sprintf("the session's copy would have more than %d characters, "+
				"or cannot be sealed: without one, each of its requests asks the store: store less", maxCopy)})
		}
	}
	if !cookie.HasSecond(s.presented) {
		return ""
	}
	return m.carrier.deletions(s.presented & cookie.SecondBit)[0]
}

// cachedForAll reports whether the handler has said that the response may be handed to others.
func cachedForAll(ex Exchange) bool {
	control := strings.ToLower(ex.ResponseHeader("Cache-Control"))
	for _, word := range [...]string{"private", "no-store", "no-cache"} {
		if strings.Contains(control, word) {
			return false
		}
	}
	return control != ""
}

// keepPrivate says of a response that hands out a copy and no token that only its client may
// keep it. So pages stay in the browser's cache, as without the copy.
func keepPrivate(ex Exchange) {
	if control := strings.ToLower(ex.ResponseHeader("Cache-Control")); !strings.Contains(control, "no-store") {
		addToList(ex, "Cache-Control", "private", false)
	}
}
