package adaptertest

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/satchel-go/satchel/core"
)

// securityTokenCases cover rows of the security checklist about what tokens are
// made of, and what traces they leave.
var securityTokenCases = []testCase{
	{
		name: "SEC1_no_token_without_randomness",
		why:  "Without randomness there is no token: a failing source must never lead to a token that can be guessed.",
		run:  noRandomness,
	},
	{
		name: "SEC7_nothing_kept_is_a_token",
		why:  "Reading the store, a backup or a log must not be enough to take over a session, nor to read one in a cookie.",
		run:  nothingKeptIsAToken,
		limited: func(h *harness) { // the store has tokens; the public ID is still not one
			s := h.open(setup{routes: userRoutes()})
			c := s.client()
			c.set("k", "v")
			for _, stolen := range idsAsTokens(c.id().String()) {
				s.with(stolen).get("/get").wants(200, absent).setsNothing()
			}
			c.has("k", "v")
		},
	},
	{
		name: "SEC19_revoked_in_every_spelling",
		why:  "A revoked session must stay revoked when its token comes in another spelling.",
		run:  revokedInEverySpelling,
	},
}

// failing is a random source that can be told to fail.
type failing struct{ fails atomic.Bool }

func (f *failing) Read(p []byte) (int, error) {
	if f.fails.Load() {
		return 0, errors.New("adaptertest: no randomness")
	}
	return rand.Read(p)
}

func noRandomness(h *harness) {
	source := new(failing)
	s := h.open(setup{core: func(c *core.Config) { c.Rand = source }})
	tokens := map[string]bool{}
	for range 100 {
		c := s.client()
		c.set("k", "v")
		tokens[c.token()] = true
	}
	if len(tokens) != 100 {
		h.Errorf("100 sessions have %d different tokens", len(tokens))
	}
	known := s.client()
	known.set("k", "v")
	before := known.token()
	source.fails.Store(true)
	for range 3 {
		s.client().post("/set?value=x").setsNothing().refusal(503, unavailableBody)
		s.client().post("/login?user=ann").setsNothing().refusal(503, unavailableBody)
		if h.store != nil { // other backends draw their own tokens
			known.post("/renew").setsNothing().refusal(503, unavailableBody)
			known.post("/login?user=ann").setsNothing().refusal(503, unavailableBody)
		}
	}
	known.has("k", "v")
	if known.token() != before {
		h.Errorf("the token changed without randomness")
	}
	source.fails.Store(false)
	known.post("/renew").wants(200, "renewed")
	known.has("k", "v")
}

func nothingKeptIsAToken(h *harness) {
	const user, text = "us3r-c4n4ry", "v4lue-c4n4ry"
	s := h.open(setup{routes: userRoutes()})
	c := s.client()
	c.set("k", text)
	c.login(user)
	c.post("/renew").wants(200, "renewed")
	id, token := c.id().String(), c.token()
	tokens := idsAsTokens(id)
	switch {
	case h.clientSide():
		for _, e := range []*base64.Encoding{base64.RawURLEncoding, base64.StdEncoding, base64.URLEncoding} {
			content := []byte(token)
			for range 3 { // some backends encode twice
				if bytes.Contains(content, []byte(user)) || bytes.Contains(content, []byte(text)) {
					h.Errorf("the cookie can be read: %q", content)
				}
				content, _ = e.DecodeString(string(content)) // as far as it decodes
			}
		}
	case h.store != nil:
		tokens = append(tokens, h.stored(c, id, token)...)
	}
	for _, stolen := range tokens {
		s.with(stolen).get("/get").wants(200, absent).setsNothing()
	}
	c.has("k", text)
}

// idsAsTokens returns what an attacker who knows an ID may try as a token.
func idsAsTokens(id string) []string {
	return []string{id, id + id + id, id + strings.Repeat("A", 64-len(id))}
}

// stored returns what an attacker who has read the client's entry in the store may
// try as a token. It checks that the token itself is not there.
func (h *harness) stored(c *client, id, token string) (tokens []string) {
	var entry core.Entry
	h.faults.corrupt(func(e core.Entry) core.Entry { entry = e; return e })
	c.get("/get")
	h.faults.up()
	raw, err := base64.RawURLEncoding.DecodeString(token)
	public, idErr := base64.RawURLEncoding.DecodeString(id)
	if err != nil || idErr != nil || len(entry.Data) == 0 || !bytes.HasPrefix(raw, public) {
		h.Fatalf("token %d bytes %v, ID %v, %d bytes stored", len(raw), err, idErr, len(entry.Data))
	}
	secret := raw[len(public):]
	half := len(secret) / 2
	if bytes.Contains(entry.Data, secret[:half]) || bytes.Contains(entry.Data, secret[half:]) || bytes.Contains(entry.Data, []byte(token)) {
		h.Errorf("the secret is in the store")
	}
	for i := range entry.Data {
		part := entry.Data[i:]
		guess := make([]byte, len(secret))
		copy(guess, part)
		tokens = append(tokens, base64.RawURLEncoding.EncodeToString(slices.Concat(public, guess)))
	}
	return tokens
}

func revokedInEverySpelling(h *harness) {
	s := h.open(setup{})
	revoked, out := s.client(), s.client()
	revoked.login("ann")
	revoked.set("k", "v")
	out.login("ben")
	out.set("k", "v")
	ended := func(token string) {
		for _, spelling := range respelled(token) {
			s.rawGet("/get", h.line(spelling)).wants(200, absent).setsNothing()
		}
	}
	token := out.token()
	out.post("/logout").wants(200, "out")
	if !h.clientSide() {
		ended(token)
	}
	if err := s.m.RevokeAll(h.Context()); err != nil {
		h.Fatalf("RevokeAll: %v", err)
	}
	h.clock.advance(tick)
	ended(token)
	ended(revoked.token())
	later := s.client()
	later.set("k", "v")
	later.has("k", "v")
}
