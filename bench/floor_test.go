package bench

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/goredisstore"
	"github.com/satchel-go/satchel/internal/testing/redistest"
)

// floor is a session written by hand on net/http: the work that no library can leave
// out, and nothing that guards it. Satchel is measured against it. It is frozen, so that
// figures of different releases can be compared: change it only if it is wrong.
//
// For each request it makes a context with the session (r.WithContext), wraps the writer,
// and looks for the cookie. With one, it hashes the token and loads the session, or opens
// the cookie; compares the hash, and the expiry with the clock; and finds values in the
// encoded session, which it copies for the handler. A session that was changed is stored
// before the header goes out, with one Set-Cookie line if the client needs a new token.
// Tokens, cipher, header lines and the commands to Redis are those of Satchel.
//
// It has what any session must have: random tokens of which the store keeps only a hash,
// an authenticated cookie, an idle timeout, compare and set. It guards nothing else. It
// merges no overlapping saves, and drops the later one. It does not bound a session, a
// store or the number of flashes, and lets no old token finish its requests. It shows
// flashes to whatever page asks, has no absolute lifetime, lists and revokes nothing, and
// reports no event. It sets neither Vary nor Cache-Control, does not pass on Flush and
// Hijack, and ignores deadlines, misuse, malformed data and the errors of its store.
type floor struct {
	store floorStore
	next  http.Handler
}

// floorStore loads and stores the state of a session. Its methods get the session to
// save allocations; they are safe for concurrent use.
type floorStore interface {
	load(s *floorSession, token string)
	save(s *floorSession) (token string) // "" if the client has it
}

// floorIdle is the idle timeout.
const floorIdle = 30 * time.Minute

// floorSession is the session of one request, its context, and its writer.
type floorSession struct {
	http.ResponseWriter
	context.Context
	store floorStore

	id                 [16]byte
	floorState         // as loaded, with changes
	dirty, sentHeaders bool
}

// floorState is what is stored. Nothing writes to data, which may be shared.
type floorState struct {
	hash    [24]byte // of the token's secret
	version uint64   // 0 for a session that is not stored
	expires int64    // in Unix milliseconds
	data    []byte   // number of flashes, flashes; keys and values; each with its length before it
}

type floorKey struct{}

func floorOf(r *http.Request) *floorSession { return r.Context().Value(floorKey{}).(*floorSession) }

func (f *floor) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s := &floorSession{ResponseWriter: w, Context: r.Context(), store: f.store}
	if token := floorToken(r.Header["Cookie"]); token != "" {
		f.store.load(s, token)
	}
	f.next.ServeHTTP(s, r.WithContext(s))
	s.commit()
}

func (s *floorSession) Value(key any) any {
	if key == (floorKey{}) {
		return s
	}
	return s.Context.Value(key)
}

func (s *floorSession) WriteHeader(code int) {
	s.commit()
	s.ResponseWriter.WriteHeader(code)
}

func (s *floorSession) Write(b []byte) (int, error) {
	s.commit()
	return s.ResponseWriter.Write(b)
}

func (s *floorSession) commit() {
	if s.sentHeaders {
		return
	}
	s.sentHeaders = true
	if !s.dirty {
		return
	}
	s.expires = time.Now().Add(floorIdle).UnixMilli()
	if token := s.store.save(s); token != "" {
		h := s.Header()
		h["Set-Cookie"] = append(h["Set-Cookie"], floorCookie+token+"; Path=/; HttpOnly; Secure; SameSite=Lax")
	}
}

const floorCookie = "__Host-session="

// floorToken returns the token in the lines of a Cookie header, or "".
func floorToken(lines []string) string {
	for _, line := range lines {
		for line != "" {
			var pair string
			pair, line, _ = strings.Cut(line, ";")
			if token, ok := strings.CutPrefix(strings.TrimLeft(pair, " "), floorCookie); ok {
				return token
			}
		}
	}
	return ""
}

// value returns the value of a key, or nil. The caller must not change it.
func (s *floorSession) value(key string) []byte {
	_, rest := s.flashes()
	for len(rest) > 0 {
		var k, v []byte
		k, rest = floorCut(rest)
		if v, rest = floorCut(rest); string(k) == key {
			return v
		}
	}
	return nil
}

func (s *floorSession) number(key string) int64 {
	n, _ := binary.Varint(s.value(key))
	return n
}

func (s *floorSession) set(key string, value []byte) {
	flashes, rest := s.flashes()
	data := make([]byte, 0, len(s.data)+len(key)+len(value)+2*binary.MaxVarintLen32)
	data = binary.AppendUvarint(data, uint64(len(flashes)))
	data = append(data, flashes...)
	found := false
	for len(rest) > 0 {
		pair := rest
		k, after := floorCut(rest)
		_, rest = floorCut(after)
		if string(k) != key {
			data = append(data, pair[:len(pair)-len(rest)]...)
			continue
		}
		found = true
		data = append(data, pair[:len(pair)-len(after)]...)
		data = floorAppend(data, value)
	}
	if !found {
		data = floorAppend(floorAppend(data, []byte(key)), value)
	}
	s.data, s.dirty = data, true
}

func (s *floorSession) flash(text string) {
	flashes, rest := s.flashes()
	size := len(flashes) + len(text) + binary.MaxVarintLen32
	data := binary.AppendUvarint(make([]byte, 0, size+len(rest)+binary.MaxVarintLen32), uint64(len(flashes)+1+len(text)))
	data = floorAppend(append(data, flashes...), []byte(text))
	s.data, s.dirty = append(data, rest...), true
}

// pop returns the flashes and removes them.
func (s *floorSession) pop() (texts []string) {
	flashes, rest := s.flashes()
	for len(flashes) > 0 {
		var text []byte
		text, flashes = floorCut(flashes)
		texts = append(texts, string(text))
	}
	if texts != nil {
		s.data, s.dirty = append(append(make([]byte, 0, 1+len(rest)), 0), rest...), true
	}
	return texts
}

func (s *floorSession) flashes() (flashes, rest []byte) {
	if len(s.data) == 0 {
		return nil, nil
	}
	return floorCut(s.data)
}

// floorCut cuts off a text with its length before it. floorAppend appends one.
func floorCut(b []byte) (text, rest []byte) {
	n, size := binary.Uvarint(b)
	end := size + int(n)
	return b[size:end], b[end:]
}

func floorAppend(dst, text []byte) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(text))), text...)
}

// floorSecret proves the right to the session with an ID.
type floorSecret [32]byte

var floorEncoding = base64.RawURLEncoding

const floorTokenChars = 64 // an ID and a secret

// newToken draws the ID, and the token whose hash the store keeps.
func (s *floorSession) newToken() string {
	var raw [48]byte
	_, _ = rand.Read(raw[:]) // never fails
	s.id = [16]byte(raw[:])
	s.hash = floorHash(&raw)
	var text [floorTokenChars]byte
	floorEncoding.Encode(text[:], raw[:])
	return string(text[:])
}

func floorHash(token *[48]byte) [24]byte {
	sum := sha256.Sum256(token[:])
	return [24]byte(sum[:])
}

// floorParse returns the ID in a token, and the hash of the token.
func floorParse(token string) (id [16]byte, hash [24]byte, ok bool) {
	if len(token) != floorTokenChars {
		return id, hash, false
	}
	var text [floorTokenChars]byte
	var raw [48]byte
	copy(text[:], token)
	if n, err := floorEncoding.Decode(raw[:], text[:]); err != nil || n != len(raw) {
		return id, hash, false
	}
	return [16]byte(raw[:]), floorHash(&raw), true
}

// admit takes over a state that was loaded, if the token's hash is its hash and it has
// not expired.
func (s *floorSession) admit(id [16]byte, hash [24]byte, state floorState) {
	if subtle.ConstantTimeCompare(hash[:], state.hash[:]) == 1 && time.Now().UnixMilli() < state.expires {
		s.id, s.floorState = id, state
	}
}

// floorOn returns the application on a floor.
func floorOn(name string, store floorStore) peer {
	return httpOn(name, func(next http.Handler) http.Handler { return &floor{store, next} }, floorSteps())
}

// floorSteps are the steps of every application, with no session where none is needed.
func floorSteps() map[string]httpStep {
	readAll := func(s *floorSession) {
		id, name, role, blob := s.number("id"), string(s.value("name")), string(s.value("role")), append([]byte(nil), s.value("blob")...)
		if id == 0 || name == "" || role == "" || len(blob) == 0 {
			panic("a value is missing")
		}
	}
	count := counter()
	steps := map[string]httpStep{}
	fillAll := func(s *floorSession) {
		s.set("id", binary.AppendVarint(nil, 1234567))
		s.set("name", []byte("Ann Example"))
		s.set("role", []byte("editor"))
		s.set("blob", payload)
	}
	for route, f := range map[string]func(*floorSession){
		fill:   fillAll,
		member: func(s *floorSession) { fillAll(s); s.set("user", []byte(userOf18(count()))) },
		read:   readAll,
		write:  func(s *floorSession) { readAll(s); s.set("id", binary.AppendVarint(nil, count())) },
		notify: func(s *floorSession) { s.flash(notice) },
		show:   func(s *floorSession) { shown(s.pop()...) },
	} {
		steps[route] = func(_ http.ResponseWriter, r *http.Request) { f(floorOf(r)) }
	}
	return steps
}

// What the floor does must be right, or it would say nothing: values come back, changes
// stay, a flash is shown once, and nobody else's token or cookie opens anything.
func TestFloorKeepsSessions(t *testing.T) {
	for _, p := range floors(t) {
		t.Run(p.name, func(t *testing.T) {
			var got []string
			app := func(f func(*floorSession)) http.Handler {
				return &floor{p.store, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { f(floorOf(r)) })}
			}
			send := func(cookies string, f func(*floorSession)) string {
				r := httpApp{"x": app(f)}.request(t, "x", cookies)
				r.send()
				return cookie(r)
			}
			note := func(s *floorSession) { got = append(got, string(s.value("name"))+strings.Join(s.pop(), "+")) }
			keep := func(old, fresh string) string {
				if fresh == "" {
					return old
				}
				return fresh
			}
			jar := send("", func(s *floorSession) { s.set("name", []byte("Ann")); s.set("n", binary.AppendVarint(nil, 1)) })
			if jar == "" {
				t.Fatal("no cookie")
			}
			other := send("", func(s *floorSession) { s.set("name", []byte("Bob")) })
			jar = keep(jar, send("a=b; "+jar+"; c=d", func(s *floorSession) { s.set("n", binary.AppendVarint(nil, 300)); s.flash("1"); s.flash("2") }))
			if again := send(jar, func(s *floorSession) {
				if n := s.number("n"); n != 300 {
					t.Errorf("the number is %d, want 300", n)
				}
			}); again != "" {
				t.Error("a read sets a cookie")
			}
			jar = keep(jar, send(jar, note))
			jar = keep(jar, send(jar, note))
			send(other, note)
			send("", note)
			// Another first character of the ID, and of what is sealed; another last one of the secret and the tag.
			value := strings.TrimPrefix(jar, floorCookie)
			for _, at := range []int{0, len(value) / 2, len(value) - 3} {
				forged := []byte(value)
				forged[at] = map[bool]byte{true: 'B', false: 'A'}[forged[at] == 'A']
				send(floorCookie+string(forged), note)
			}
			if want := "Ann1+2|Ann|Bob||||"; strings.Join(got, "|") != want {
				t.Errorf("handlers saw %q, want %q", strings.Join(got, "|"), want)
			}
		})
	}
}

// A session ends at its expiry, and not before.
func TestFloorExpires(t *testing.T) {
	for _, p := range floors(t) {
		for _, left := range []time.Duration{time.Minute, -time.Millisecond} {
			s := &floorSession{store: p.store, Context: t.Context(), floorState: floorState{expires: time.Now().Add(left).UnixMilli()}}
			s.set("name", []byte("Ann"))
			again := &floorSession{store: p.store, Context: t.Context()}
			p.store.load(again, p.store.save(s))
			if there := string(again.value("name")) == "Ann"; there != (left > 0) {
				t.Errorf("%s: %v before its end it is there: %t", p.name, left, there)
			}
		}
	}
}

// The floor asks of Redis, and of the browser, what Satchel asks, and no less.
func TestFloorAsksWhatSatchelAsks(t *testing.T) {
	server := redistest.Start(t)
	floor := floorOn("floor", newFloorRedis(t, ourClient(t, server)))
	ours := satchel(t, "satchel", core.ServerSide(goredisstore.New(ourClient(t, server), goredisstore.Config{})))
	for _, route := range []string{read, write, anonymous, flash} {
		asks := func(p peer) string {
			r, _ := p.visit(t, route)
			r.send() // Redis learns the scripts
			server.MustDo("CONFIG", "RESETSTAT")
			r.send()
			stats, _ := server.MustDo("INFO", "commandstats").(string)
			var asked []string
			for _, found := range regexp.MustCompile(`cmdstat_(\w+):calls=(\d+)`).FindAllStringSubmatch(stats, -1) {
				if name := found[1]; name != "info" && name != "config" {
					asked = append(asked, found[2]+" "+name)
				}
			}
			slices.Sort(asked)
			_, value, _ := strings.Cut(cookie(r), "=")
			return fmt.Sprintf("%v, sets a cookie of %d characters", asked, len(value))
		}
		if got, want := asks(floor), asks(ours); got != want {
			t.Errorf("%s: %s; Satchel: %s", route, got, want)
		} else {
			t.Logf("%s: %s", route, got)
		}
	}
}
