package core

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func TestSEC25SEC28GoldenSetCookie(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, c := range []struct {
		cookie   Cookie
		insecure bool
		until    time.Time
		want     string
	}{
		{Cookie{}, false, time.Time{}, "__Host-session=v; Path=/; HttpOnly; Secure; SameSite=Lax"},
		{Cookie{}, true, time.Time{}, "session=v; Path=/; HttpOnly; SameSite=Lax"},
		{Cookie{SameSite: SameSiteStrict}, false, time.Time{}, "__Host-session=v; Path=/; HttpOnly; Secure; SameSite=Strict"},
		{Cookie{SameSite: SameSiteNone, Partitioned: true}, false, time.Time{}, "__Host-session=v; Path=/; HttpOnly; Secure; SameSite=None; Partitioned"},
		{Cookie{Domain: ".example.com"}, false, time.Time{}, "__Secure-session=v; Path=/; Domain=example.com; HttpOnly; Secure; SameSite=Lax"},
		{Cookie{Name: "sid", Path: "/app"}, false, time.Time{}, "sid=v; Path=/app; HttpOnly; Secure; SameSite=Lax"},
		{Cookie{}, false, now.Add(time.Hour), "__Host-session=v; Path=/; Max-Age=3600; Expires=Fri, 02 Jan 2026 04:04:05 GMT; HttpOnly; Secure; SameSite=Lax"},
		{Cookie{}, false, now.Add(1500 * time.Millisecond), "__Host-session=v; Path=/; Max-Age=2; Expires=Fri, 02 Jan 2026 03:04:06 GMT; HttpOnly; Secure; SameSite=Lax"},
	} {
		cookie := c.cookie.withDefaults(c.insecure)
		if err := cookie.validate(c.insecure); err != nil {
			t.Fatal(err)
		}
		if got, ok := cookie.wire(!c.insecure, "-touch").Lines("v", 0, now, c.until); !ok || len(got) != 1 || got[0] != c.want {
			t.Errorf("SEC25: %+v:\n got %s\nwant %s", c.cookie, got, c.want)
		}
	}
}

func TestSEC26SEC27ImpossibleCookies(t *testing.T) {
	for what, c := range map[string]struct {
		cookie   Cookie
		insecure bool
	}{
		"__Host- with Domain":      {Cookie{Name: "__Host-s", Domain: "example.com"}, false},
		"__Host- with Path":        {Cookie{Name: "__host-s", Path: "/app"}, false},
		"__Host- over HTTP":        {Cookie{Name: "__HOST-s"}, true},
		"__Secure- over HTTP":      {Cookie{Name: "__Secure-s"}, true},
		"SameSite=None over HTTP":  {Cookie{SameSite: SameSiteNone}, true},
		"Partitioned over HTTP":    {Cookie{Partitioned: true}, true},
		"unknown SameSite":         {Cookie{SameSite: 7}, false},
		"name with space":          {Cookie{Name: "my session"}, false},
		"name with semicolon":      {Cookie{Name: "a;b"}, false},
		"name of a touch":          {Cookie{Name: "__Host-app-touch"}, false},
		"name of a copy":           {Cookie{Name: "__Host-app-Copy"}, false},
		"name of a touch, in caps": {Cookie{Name: "app-Touch"}, false},
		"name like a part":         {Cookie{Name: "session-2"}, false},
		"path with attribute":      {Cookie{Name: "s", Path: "/; Secure"}, false},
		"path without slash":       {Cookie{Name: "s", Path: "app"}, false},
		"path with line break":     {Cookie{Name: "s", Path: "/a\r\nX: y"}, false},
		"domain with scheme":       {Cookie{Name: "s", Domain: "https://example.com"}, false},
		"domain with port":         {Cookie{Name: "s", Domain: "example.com:80"}, false},
		"domain with an underline": {Cookie{Name: "s", Domain: "a_b.example"}, false},
		"domain without a dot":     {Cookie{Name: "s", Domain: "localhost"}, false},
		"top-level domain":         {Cookie{Name: "s", Domain: ".com"}, false},
		"too many parts":           {Cookie{MaxParts: 21}, false},
		"negative parts":           {Cookie{MaxParts: -1}, false},
	} {
		err := c.cookie.withDefaults(c.insecure).validate(c.insecure)
		if err == nil || !strings.HasPrefix(err.Error(), "core: ") {
			t.Errorf("SEC26: %s: %v", what, err)
		}
	}
}

func TestE2SizeOfWhatCookiesHold(t *testing.T) {
	c := Cookie{MaxParts: 2}.withDefaults(false)
	m := &Manager{carrier: (&Config{Cookie: c}).carrier("-touch")}
	limit := m.carrier.capacity()
	if lines, err := m.tokenLines(strings.Repeat("a", limit), new(Record), 0, testNow); err != nil || len(lines) != 2 {
		t.Errorf("E2: at the limit: %d lines, %v", len(lines), err)
	}
	var size *SizeError
	if _, err := m.tokenLines(strings.Repeat("a", limit+1), new(Record), 0, testNow); !errors.As(err, &size) || size.Limit != limit || size.Total != limit+1 {
		t.Errorf("E2: beyond the limit: %v", err)
	}
}

// TestSEC34OneSpellingOfAToken: whatever reaches the backend, which need not
// come from a Cookie header.
func TestSEC34OneSpellingOfAToken(t *testing.T) {
	token := formatToken(ID{1}, secret{2})
	if id, sec, ok := parseToken(token); !ok || id != (ID{1}) || sec != (secret{2}) {
		t.Fatal("our own token is refused")
	}
	for _, other := range []string{
		token[:60] + "\r\n\r\n", "\n\n\n\n" + token[:60], token[:30] + "\n\n\n\n" + token[34:],
		token[:63] + "=", token[:63], token + "A", token + "\n", " " + token[:63],
	} {
		if id, _, ok := parseToken(other); ok {
			t.Errorf("SEC34: %q is a token of %s", other, id)
		}
	}
}
