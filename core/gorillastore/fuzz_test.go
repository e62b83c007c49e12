package gorillastore

import (
	"bytes"
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/internal/inplace"
	"github.com/satchel-go/satchel/internal/testing/alloctest"
)

// slack is what a bounded parser may allocate whatever its input: its result,
// an error, a request.
const slack = 16 << 10

// FuzzSEC40SEC46Token: nothing opens but what was sealed, in one spelling, and
// finding that out takes memory for the token alone.
func FuzzSEC40SEC46Token(f *testing.F) {
	s := testSealer(f, "a", "b")
	content := dump(testRecord(f)) // the seeds' own: tokens of other processes differ in their random bytes
	for _, by := range []*sealer{s, testSealer(f, "b"), testSealer(f, "c")} {
		token := seal(f, by, testRecord(f))
		for _, seed := range []string{token, token[:len(token)-4], token + "\n", strings.TrimRight(token, "=")} {
			f.Add(seed)
		}
	}
	for _, raw := range []string{"", "|", "1|x|y", "9999999999999999999|x|y", "-1|YWJj|", "1|" + strings.Repeat("A", 60) + "|" + strings.Repeat("\x00", 32)} {
		f.Add(base64.URLEncoding.EncodeToString([]byte(raw)))
	}
	f.Add(strings.Repeat(".", 300))
	f.Fuzz(func(t *testing.T, token string) {
		var r *core.Record
		var err error
		alloctest.Bound(t, 64*len(token)+slack, func() { r, err = open(s, token) })
		switch {
		case err != nil && (r != nil || !errors.Is(err, errNotOurs)):
			t.Errorf("%v, with %v", err, r)
		case err == nil && dump(r) != content:
			t.Errorf("opens to\n%s", dump(r))
		}
		wantPlainTokens(t, token)
	})
}

// wantPlainTokens checks what decides which tokens other stores are asked for:
// they get nothing that is no plain word, and redisstore only its own keys.
func wantPlainTokens(t *testing.T, token string) {
	if isPlain(token) && (strings.ContainsAny(token, "/\\;, \"%\x00\r\n") || token[0] == '.' || len(token) > 4096) {
		t.Errorf("%q is plain", token)
	}
	if isKey(token) && (!isPlain(token) || len(token) != keyChars) {
		t.Errorf("%q is a key", token)
	}
	if raw, err := base64.URLEncoding.DecodeString(token); err == nil && len(raw) > 0 && '0' <= raw[0] && raw[0] <= '9' &&
		isSpelledAsWritten(token) != (base64.URLEncoding.EncodeToString(raw) == token) {
		t.Errorf("%q is another spelling", token)
	}
	if !isPlain(token) {
		return
	}
	if c, err := newRequest(t.Context(), "session", token).Cookie("session"); err == nil && c.Value != token {
		t.Errorf("%q comes back as %q", token, c.Value)
	}
}

// FuzzSEC46Content: whatever lies in a gorilla session under our key and beside
// it, by a fault or by another program, becomes a session that can be stored
// and read again, or an error of a known kind.
func FuzzSEC46Content(f *testing.F) {
	record, err := testRecord(f).MarshalBinary()
	if err != nil {
		f.Fatal(err)
	}
	for _, head := range [][]byte{
		append(inplace.AppendScope(nil, scope), record...), append(inplace.AppendScope(nil, core.Scope{Purpose: "other"}), record...),
		append(inplace.AppendScope(nil, inplace.WithName(scope)), record...), inplace.AppendScope(nil, scope), nil,
		{0},
		{inplace.HeaderFormat},
		{inplace.HeaderFormat + 1},
		{inplace.HeaderFormat, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1},
		{inplace.HeaderFormat, 1, 's'},
		append([]byte{noteFormat, 0, 0, 1, 0, 0, 0, 0, 0}, "next token"...), append([]byte{noteFormat}, 0xff, 1, 1, 1, 1, 1, 1, 1, 'x'),
	} {
		f.Add(head, "k", []byte("value"), "text", "flash", false)
		f.Add(head, flashKey, append(bytes.Clone(inplace.EncodedMark), 0xa1, 0x61, 'a', 0x01), inplace.TextMark+"oWFhAQ", "", true)
	}
	f.Fuzz(func(t *testing.T, head []byte, key string, value []byte, text, flash string, asText bool) {
		m := newMapping(asText, "", nil)
		values := map[any]any{headerKey: head, "text " + key: text, flashKey: []any{flash, text, 7, nil}, 17: "no key of ours"}
		if key != headerKey && key != flashKey {
			values[key] = value
		}
		if asText {
			values[headerKey] = base64.StdEncoding.EncodeToString(head)
		}
		size := len(head) + len(key) + len(value) + len(text) + len(flash)
		var r *core.Record
		var err error
		alloctest.Bound(t, 64*size+slack, func() {
			r, err = parseHeader(scope, values[headerKey])
			_, _, _ = parseNamedAndNote(values)
			if err == nil {
				r, err = m.fromGorilla(r, values)
			}
		})
		if err != nil {
			if !errors.Is(err, errNotOurs) && !errors.Is(err, core.ErrCorrupt) && !errors.Is(err, core.ErrNewerVersion) && !errors.Is(err, core.ErrUnavailable) {
				t.Errorf("an error of no kind: %v", err)
			}
			return
		}
		stored, _ := m.toGorilla(scope, r, nil)
		again, err := parseHeader(scope, stored[headerKey])
		if err != nil {
			t.Fatalf("cannot be read again: %v", err)
		}
		again, _ = m.fromGorilla(again, stored)
		if got, want := dump(again), dump(r); got != want {
			t.Errorf("read\n%sand again\n%s", want, got)
		}
	})
}

// parseNamedAndNote reads what stores other than cookies have in the header's place.
func parseNamedAndNote(values map[any]any) (*core.Record, string, time.Time) {
	r, _ := inplace.ParseNamed(scope, values[headerKey])
	next, at := readNote(values)
	return r, next, at
}
