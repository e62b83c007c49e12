package gorillastore

import (
	"bytes"
	"encoding/gob"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/gorilla/sessions"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/memstore"
	"github.com/satchel-go/satchel/internal/testing/redistest"
)

// cartOfTheOldProgram is what only the old program has given to gob.Register.
type cartOfTheOldProgram struct{ Items []string }

// A program cannot read a session with a type that it has not registered. That is its own
// mistake: its answer says so, and the session and its cookie stay for the program that can.
//
// gob's registry belongs to the process, so the test runs itself as the old program.
func TestL3E3UnregisteredTypesEndNoSession(t *testing.T) {
	dir, old := os.Getenv("GORILLASTORE_TEST_OLD"), os.Getenv("GORILLASTORE_TEST_OLD") != ""
	for name, make := range map[string]func(dir string) sessions.Store{
		"cookie": func(string) sessions.Store { return cookieStore("b", "a") },
		"files":  func(dir string) sessions.Store { return newFiles(t, dir) },
	} {
		if old {
			gob.Register(cartOfTheOldProgram{})
			s := newSite(t, From(cookieStore("a"), FromConfig{}), nil)
			if err := os.MkdirAll(dir+"/"+name, 0o700); err != nil {
				t.Fatal(err)
			}
			store := make(dir + "/" + name)
			if name == "cookie" {
				store = cookieStore("a") // as before the rotation
			}
			s.gorilla(store, func(g *sessions.Session) { g.Values["cart"] = cartOfTheOldProgram{[]string{"tea"}} })
			if err := os.WriteFile(dir+"/"+name+".cookie", []byte(s.cookies["session"]), 0o600); err != nil {
				t.Fatal(err)
			}
			continue
		}
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			program := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestL3E3UnregisteredTypesEndNoSession$")
			program.Env = append(os.Environ(), "GORILLASTORE_TEST_OLD="+dir)
			if out, err := program.CombinedOutput(); err != nil {
				t.Fatalf("the old program: %v\n%s", err, out)
			}
			cookie, err := os.ReadFile(dir + "/" + name + ".cookie")
			if err != nil {
				t.Fatal(err)
			}
			memory := memstore.New(memstore.Config{})
			defer func() { _ = memory.Close() }()
			for what, backend := range map[string]core.Backend{
				"alone":  From(make(dir+"/"+name), FromConfig{}),
				"moving": core.Migrating(From(make(dir+"/"+name), FromConfig{}), core.ServerSide(memory)),
			} {
				s := newSite(t, backend, nil)
				s.cookies["session"] = string(cookie)
				before := maps.Clone(s.cookies)
				w := s.do(func(x *core.Session) { x.Set("k", "overwritten") })
				if w.Code != http.StatusServiceUnavailable || len(s.last) != 0 || !maps.Equal(s.cookies, before) {
					t.Errorf("%s: status %d, cookies %v", what, w.Code, s.last)
				}
				if len(s.events) == 0 || !strings.Contains(s.events[0].Err.Error(), "a value has a type that this program has not given to gob.Register: ") {
					t.Errorf("%s: events %v", what, s.events)
				} else if what == "alone" {
					t.Log(s.events[0].Err)
				}
			}
		})
	}
}

func TestL3E3UnregisteredTypesInRedisEndNoSession(t *testing.T) {
	gob.RegisterName("type of this program", cartOfTheOldProgram{})
	server := redistest.Shared(t)
	store, prefix := newRedis(t)
	s := newSite(t, RedisCompatible(newClient(t, server.Addr()), CompatibleConfig{KeyPrefix: prefix}), nil)
	s.gorilla(store, func(g *sessions.Session) { g.Values["cart"] = cartOfTheOldProgram{[]string{"tea"}} })
	client, key := newClient(t, server.Addr()), prefix+s.cookies["session"]
	data, err := client.Get(t.Context(), key).Bytes()
	if err != nil {
		t.Fatal(err)
	}
	data = bytes.Replace(data, []byte("type of this program"), []byte("type of that program"), 1)
	if err := client.Set(t.Context(), key, data, 0).Err(); err != nil {
		t.Fatal(err)
	}
	w := s.do(func(x *core.Session) { x.Set("k", "overwritten") })
	after, err := client.Get(t.Context(), key).Bytes()
	if w.Code != http.StatusServiceUnavailable || len(s.last) != 0 || err != nil || !bytes.Equal(after, data) {
		t.Errorf("status %d, cookies %v, unchanged %v: %v", w.Code, s.last, bytes.Equal(after, data), err)
	}
}

// cartOfThisProgram is another version of a type: nothing of the old one is left.
type cartOfThisProgram struct{ Lines map[string]int }

// Both versions of the type have one name for gob. The cookie is authentic, so it is not corrupt.
func TestL3E3TypesOfAnotherVersionEndNoSession(t *testing.T) {
	const cookie = "GORILLASTORE_TEST_COOKIE"
	if file := os.Getenv(cookie); file != "" {
		gob.RegisterName("cart", cartOfTheOldProgram{})
		s := newSite(t, From(cookieStore("a"), FromConfig{}), nil)
		s.gorilla(cookieStore("a"), func(g *sessions.Session) { g.Values["cart"] = cartOfTheOldProgram{[]string{"tea"}} })
		if err := os.WriteFile(file, []byte(s.cookies["session"]), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	file := t.TempDir() + "/cookie"
	program := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestL3E3TypesOfAnotherVersionEndNoSession$")
	program.Env = append(os.Environ(), cookie+"="+file)
	if out, err := program.CombinedOutput(); err != nil {
		t.Fatalf("the old program: %v\n%s", err, out)
	}
	token, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	gob.RegisterName("cart", cartOfThisProgram{})
	s := newSite(t, From(cookieStore("b", "a"), FromConfig{}), nil)
	s.cookies["session"] = string(token)
	w := s.do(func(x *core.Session) { x.Set("k", "overwritten") })
	if w.Code != http.StatusServiceUnavailable || len(s.last) != 0 {
		t.Errorf("status %d, cookies %v", w.Code, s.last)
	}
	if len(s.events) == 0 || !strings.Contains(s.events[0].Err.Error(), "a value has a type of which this program has another version: ") {
		t.Errorf("events %v", s.events)
	} else {
		t.Log(s.events[0].Err)
	}
}
