package jwtsealer

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/sealed"
)

func TestRoundTrip(t *testing.T) {
	for _, w := range worlds(t) {
		for what, r := range map[string]*core.Record{"full": record(), "anonymous": anonymous()} {
			token := w.seal(t, testScope, r)
			got, err := w.open(token)
			if err != nil || !same(t, got, r) {
				t.Errorf("%s: %s: %v, %v", w.name, what, got, err)
			}
			if strings.Trim(token, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.") != "" {
				t.Errorf("%s: characters that cookies are not allowed", w.name)
			}
		}
	}
}

// The core needs expired records, which a touch may have prolonged.
func TestExpiredOpens(t *testing.T) {
	for _, w := range worlds(t) {
		r := record()
		r.SavedAt, r.Expires = testNow.Add(-2*time.Hour), testNow.Add(-time.Hour)
		w.accept(t, w.seal(t, testScope, r), "expired")
	}
}

func TestClaimsAreAsDocumented(t *testing.T) {
	r := record()
	for _, test := range []struct {
		name string
		c    Config
		r    *core.Record
		want string
	}{
		{"plain", Config{}, r, `{"iss":"https://app.example","aud":"https://app.example","sub":"ann","sid":"` + r.ID.String() + `","iat":1900000000,"exp":1900003600,"auth_time":1899999940,"satchel":{"v":1,"ns":"shop","nm":"__Host-session","for":"session","d":"…"}}`},
		{"anonymous", Config{}, anonymous(), `{"iss":"https://app.example","aud":"https://app.example","sid":"` + anonymous().ID.String() + `","iat":1900000000,"exp":1900003600,"satchel":{"v":1,"ns":"shop","nm":"__Host-session","for":"session","d":"…"}}`},
		{
			"everything",
			Config{
				Audience: []string{"billing", "a<b"}, Subject: func(user string) string { return "pseudonym of " + user },
				Claims: func(r *core.Record) map[string]any {
					return map[string]any{"role": "admin", "age": r.SavedAt.Unix(), "nested": map[string]any{"z": 1.5, "a": nil}}
				},
			},
			r,
			`{"iss":"https://app.example","aud":["billing","a<b","https://app.example"],"sub":"pseudonym of ann","sid":"` + r.ID.String() + `","iat":1900000000,"exp":1900003600,"auth_time":1899999940,` +
				`"age":1900000000,"nested":{"a":null,"z":1.5},"role":"admin","satchel":{"v":1,"ns":"shop","nm":"__Host-session","for":"session","d":"…"}}`,
		},
	} {
		test.c.Issuer, test.c.Seal = issuer, testRing(t)
		w := signedWorld(t, test.name, testKeys(t, EdDSA), test.c)
		got := w.claims(t, test.r)
		before, rest, _ := strings.Cut(got, `"d":"`)
		_, after, _ := strings.Cut(rest, `"`)
		if got := before + `"d":"…"` + after; got != test.want {
			t.Errorf("%s:\n%s, want\n%s", test.name, got, test.want)
		}
		w.accept(t, w.seal(t, testScope, test.r), test.name)
	}
}

// SEC56: what the client can read is what was made readable on purpose.
func TestSEC56ReadableOnPurposeOnly(t *testing.T) {
	r := record()
	for _, w := range worlds(t) {
		claims := w.claims(t, r)
		secret := !strings.Contains(w.name, "readable")
		for _, text := range []string{`"values":{"a<b>":"x","cart":7}`, "cart"} {
			if w.name != "encrypted" && strings.Contains(claims, text) == secret {
				t.Errorf("%s: contains %s: %v", w.name, text, !secret)
			}
		}
	}
	_, err := core.New(core.ClientSide(Signed(testKeys(t, EdDSA), Config{Issuer: issuer})), core.Config{})
	if err == nil || !strings.Contains(err.Error(), "Config.Seal") || !strings.Contains(err.Error(), "Config.Readable") {
		t.Errorf("neither sealed nor readable: %v", err)
	}
	_, err = core.New(core.ClientSide(Signed(testKeys(t, EdDSA), Config{Issuer: issuer, Readable: true})), core.Config{})
	if err == nil || !strings.Contains(err.Error(), "core.JSON()") {
		t.Errorf("readable in CBOR: %v", err)
	}
}

// SEC44: an older key still opens, what is sealed anew needs it no more, a dropped
// one does not open, and instances in the middle of a roll-out read each other.
func TestSEC44KeyRotation(t *testing.T) {
	seal := testRing(t)
	oldPEM, newPEM := testPEM(t, EdDSA), testPEM(t, ES256)
	oldKey, newKey := sealed.GenerateKey(), sealed.GenerateKey()
	signing := func(text string) *Sealer {
		keys, err := ParseKeys(text)
		if err != nil {
			t.Fatal(err)
		}
		return Signed(keys, Config{Issuer: issuer, Seal: seal})
	}
	ring := func(make func(*sealed.Keyring) *Sealer) func(string) *Sealer {
		return func(text string) *Sealer {
			keys, err := sealed.ParseKeyring(text)
			if err != nil {
				t.Fatal(err)
			}
			return make(keys)
		}
	}
	for _, kind := range []struct {
		name, old, new, both, swapped string
		make                          func(string) *Sealer
	}{
		{"signed", oldPEM, newPEM, oldPEM + newPEM, newPEM + oldPEM, signing},
		{"HS256", oldKey, newKey, oldKey + "," + newKey, newKey + "," + oldKey, ring(func(k *sealed.Keyring) *Sealer { return Signed(FromKeyring(k), Config{Issuer: issuer}) })},
		{"encrypted", oldKey, newKey, oldKey + "," + newKey, newKey + "," + oldKey, ring(func(k *sealed.Keyring) *Sealer { return Encrypted(k, Config{Issuer: issuer}) })},
	} {
		of := func(text string) world {
			return world{name: kind.name, sealer: configured(t, kind.make(text), core.CBOR())}
		}
		before, prepared, rotated, after := of(kind.old), of(kind.both), of(kind.swapped), of(kind.new)
		for _, tc := range []struct {
			name     string
			from, to world
			opens    bool
			needs    world // has the one key that to seals with
		}{
			{"old key, new one known", before, prepared, true, before},
			{"old key, rotated", before, rotated, true, after},
			{"old key, dropped", before, after, false, after},
			{"mid-roll-out, forwards", prepared, rotated, true, after},
			{"mid-roll-out, backwards", rotated, prepared, true, before},
			{"new key, old one dropped", rotated, after, true, after},
			{"new key unknown", after, before, false, before},
		} {
			token := tc.from.seal(t, testScope, record())
			if !tc.opens {
				tc.to.refuse(t, token, tc.name)
				continue
			}
			r, err := tc.to.open(token)
			if err != nil {
				t.Errorf("%s: %s: %v", kind.name, tc.name, err)
				continue
			}
			tc.needs.accept(t, tc.to.seal(t, testScope, r), tc.name+": sealed anew")
		}
	}
}

// SEC41: a token opens in its own place only.
func TestSEC41ScopeIsBound(t *testing.T) {
	scopes := []core.Scope{
		testScope,
		{Namespace: "shop", Name: "__Host-session", Purpose: "touch"},
		{Namespace: "shop", Name: "session", Purpose: "session"},
		{Namespace: "shop", Name: "header:authorization", Purpose: "session"},
		{Namespace: "admin", Name: "__Host-session", Purpose: "session"},
		{Name: "shop__Host-session", Purpose: "session"},
	}
	for _, w := range worlds(t) {
		for i, sealedFor := range scopes {
			token := w.seal(t, sealedFor, anonymous())
			for j, scope := range scopes {
				r, err := w.sealer.Open(t.Context(), scope, token)
				if i == j && err != nil || i != j && (!errors.Is(err, errNotOurs) || r != nil) {
					t.Errorf("%s: sealed for %v, opened for %v: %v, %v", w.name, sealedFor, scope, r, err)
				}
			}
		}
		if token, err := w.sealer.Seal(t.Context(), core.Scope{Purpose: "flash"}, record()); err == nil || token != "" {
			t.Errorf("%s: another purpose: sealed", w.name)
		}
	}
}

// The sealer of one instance reads what another with another audience, further
// claims or a pseudonym has written.
func TestConfigMayChange(t *testing.T) {
	keys, seal := testKeys(t, EdDSA), testRing(t)
	claims := func(*core.Record) map[string]any { return map[string]any{"role": "admin", "z": 1} }
	var all []world
	for i, c := range []Config{
		{},
		{Audience: []string{"billing"}},
		{Audience: []string{issuer, "billing", "shop"}},
		{Claims: claims},
		{Subject: strings.ToUpper},
	} {
		c.Issuer, c.Seal = issuer, seal
		all = append(all, signedWorld(t, fmt.Sprint(i), keys, c))
	}
	for _, from := range all {
		for _, to := range all {
			to.accept(t, from.seal(t, testScope, record()), "from "+from.name)
		}
	}
}

func TestClaimsThatAreNotTheApplications(t *testing.T) {
	for what, claims := range map[string]map[string]any{
		"sub": {"sub": "root"}, "another case": {"SUB": "root"}, "kelvin": {"\u017fub": "root"}, "satchel": {"Satchel": 1}, "jti": {"jti": "1"}, "nbf": {"nbf": 1},
		"a function": {"f": func() {}}, "large": {"x": strings.Repeat("x", maxClaims)},
	} {
		w := signedWorld(t, what, testKeys(t, HS256), Config{Issuer: issuer, Claims: func(*core.Record) map[string]any { return claims }})
		token, err := w.sealer.Seal(t.Context(), testScope, record())
		if err == nil || token != "" || !strings.Contains(err.Error(), "Config.Claims") || strings.Contains(err.Error(), "root") {
			t.Errorf("%s: %v", what, err)
		}
		// A touch is nobody else's business.
		if _, err := w.sealer.Seal(t.Context(), core.Scope{Purpose: "touch"}, anonymous()); err != nil {
			t.Errorf("%s: touch: %v", what, err)
		}
	}
}

// SEC50: JSON would replace bytes that are not UTF-8, and sub name another user.
func TestSEC50SubNamesNobodyElse(t *testing.T) {
	for _, w := range worlds(t) {
		r := record()
		r.User = "ann\xff"
		if token, err := w.sealer.Seal(t.Context(), testScope, r); err == nil || token != "" || strings.Contains(err.Error(), "ann") {
			t.Errorf("%s: sealed for a user that JSON cannot express: %v", w.name, err)
		}
	}
	hides := Config{Issuer: issuer, Seal: testRing(t), Subject: func(string) string { return "nobody" }}
	r := record()
	r.User = "ann\xff"
	w := signedWorld(t, "pseudonym", testKeys(t, EdDSA), hides)
	w.accept(t, w.seal(t, testScope, r), "a pseudonym is all that others read")
}

func TestConfigThatCannotBe(t *testing.T) {
	keys, ring := testKeys(t, EdDSA), testRing(t)
	good := Config{Issuer: issuer, Seal: ring}
	for what, test := range map[string]struct {
		sealer *Sealer
		want   string
	}{
		"no issuer":         {Signed(keys, Config{Seal: ring}), "Issuer is empty"},
		"http":              {Signed(keys, Config{Issuer: "http://app.example", Seal: ring}), "InsecureAllowHTTP"},
		"no URL":            {Signed(keys, Config{Issuer: "app", Seal: ring}), "want a URL"},
		"query":             {Signed(keys, Config{Issuer: issuer + "?", Seal: ring}), "want a URL"},
		"user":              {Signed(keys, Config{Issuer: "https://u:hunter2@app.example", Seal: ring}), "want a URL"},
		"many audiences":    {Signed(keys, Config{Issuer: issuer, Seal: ring, Audience: strings.Split("abcdefgh", "")}), "at most 8"},
		"empty audience":    {Signed(keys, Config{Issuer: issuer, Seal: ring, Audience: []string{""}}), "Audience"},
		"leeway":            {Signed(keys, Config{Issuer: issuer, Seal: ring, Leeway: time.Hour}), "Leeway"},
		"negative leeway":   {Signed(keys, Config{Issuer: issuer, Seal: ring, Leeway: -1}), "Leeway"},
		"both":              {Signed(keys, Config{Issuer: issuer, Seal: ring, Readable: true}), "set one of them"},
		"readable subject":  {Signed(keys, Config{Issuer: issuer, Readable: true, Subject: strings.ToUpper}), "set one of them"},
		"sealed twice":      {Encrypted(ring, good), "Config.Seal is for signed"},
		"no keys":           {Signed(nil, good), "no keys"},
		"zero keys":         {Signed(&Keys{}, good), "no keys"},
		"no ring":           {Encrypted(nil, Config{Issuer: issuer}), "no keys"},
		"keys without ring": {Signed(FromKeyring(nil), good), "no keys"},
		"zero sealer":       {&Sealer{}, "no sealer"},
		"nil sealer":        {nil, "no sealer"},
	} {
		err := test.sealer.Validate()
		if err == nil || !strings.HasPrefix(err.Error(), "jwtsealer: ") || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", what, err)
			continue
		}
		if token, err2 := test.sealer.Seal(t.Context(), testScope, record()); token != "" || err2 == nil || err2.Error() != err.Error() {
			t.Errorf("%s: seal: %q, %v", what, token, err2)
		}
		if r, err2 := test.sealer.Open(t.Context(), testScope, "x"); r != nil || err2 == nil || err2.Error() != err.Error() {
			t.Errorf("%s: open: %v, %v", what, r, err2)
		}
		if _, err2 := core.New(core.ClientSide(test.sealer), core.Config{}); err2 == nil || err2.Error() != err.Error() {
			t.Errorf("%s: New: %v", what, err2)
		}
	}
	if err := Signed(keys, Config{Issuer: "http://localhost:8080", InsecureAllowHTTP: true, Seal: ring}).Validate(); err != nil {
		t.Error(err)
	}
	if _, err := core.New(core.ClientSide(Signed(FromKeyring(ring), Config{Issuer: issuer})), core.Config{}); err != nil {
		t.Error(err)
	}
}

// SEC67: no key is printed, however it is asked for.
func TestSEC67PrintsNoKey(t *testing.T) {
	ring := testRing(t)
	keys := FromKeyring(ring)
	secret, ok := keys.all()[0].private.([]byte)
	if !ok {
		t.Fatal("no secret")
	}
	number := strings.Trim(fmt.Sprintf("%d", secret), "[]")
	for _, v := range []any{
		keys, *keys, Signed(keys, Config{Issuer: issuer}), Encrypted(ring, Config{Issuer: issuer}), //nolint:govet // printing a copy
		struct{ K *Keys }{keys}, struct{ s *Sealer }{Signed(keys, Config{Issuer: issuer})},
	} {
		var out strings.Builder
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d"} {
			fmt.Fprintf(&out, verb, v)
		}
		data, err := json.Marshal(v)
		if err != nil {
			t.Error(err)
		}
		out.Write(data)
		slog.New(slog.NewJSONHandler(&out, nil)).Info("m", "v", v)
		if strings.Contains(out.String(), number) || strings.Contains(out.String(), fmt.Sprintf("%x", secret)) {
			t.Errorf("%v prints a key", reflect.TypeOf(v))
		}
	}
	if got := keys.String() + " " + testKeys(t, EdDSA, ES256).String(); got != "jwtsealer.Keys(1 key) jwtsealer.Keys(2 keys)" {
		t.Error(got)
	}
}

// FuzzSEC34Spelling: claims that are written by hand are spelled as encoding/json
// spells them.
func FuzzSEC34Spelling(f *testing.F) {
	f.Add("ann", "https://app.example", "a<b>&\"\\", int64(0), int64(1), false)
	f.Add("\u2028\x7f\x1f", "\xff\xc0", "\u00e9\U0001f642", int64(-1), int64(1)<<62, true)
	f.Fuzz(func(t *testing.T, one, two, three string, m, n int64, readable bool) {
		head := public{Issuer: one, Audience: encodedAudience([]string{two, three}), Subject: three, Session: two, IssuedAt: m, Expires: n, AuthTime: m}
		tail := private{Version: int(n), Namespace: three, Name: one, Purpose: two, Sealed: one, Record: three}
		if readable {
			tail.Values = map[string]json.RawMessage{one: encodedAudience([]string{three}), two: json.RawMessage("7")}
		}
		begin, end, err := join(&head, &tail)
		want, err2 := encodeJSON(struct {
			public
			Satchel private `json:"satchel"`
		}{head, tail})
		if got := string(begin) + string(end); err != nil || err2 != nil || got != string(want) {
			t.Fatalf("%v, %v:\n%s, want\n%s", err, err2, got, want)
		}
	})
}
