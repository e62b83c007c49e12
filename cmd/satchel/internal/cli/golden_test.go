package cli_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/filestore"
	"github.com/satchel-go/satchel/core/sealed"
	"github.com/satchel-go/satchel/internal/testing/redistest"
)

// TestI2SEC17SEC67CommandsOnEveryStore shows that the commands print the same on every store,
// byte by byte, and that no output has a token, a hash or a key.
func TestI2SEC17SEC67CommandsOnEveryStore(t *testing.T) {
	for _, store := range worlds {
		t.Run(store.name, func(t *testing.T) {
			if testing.Short() && store.name != "redis" && store.name != "sqlite" && store.name != "file" {
				t.Skip("starts a server")
			}
			w := store.open(t)
			w.fill()
			if store.name == "file" {
				w.golden("file.txt")
			} else {
				w.golden("walk.txt")
			}
			w.golden("commands.txt")
		})
	}
}

// TestFileOfARunningApplication shows that a directory in use is left alone.
func TestFileOfARunningApplication(t *testing.T) {
	dir := t.TempDir()
	store, err := filestore.Open(dir, filestore.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = store.Close() }()
	w := newWorld(t, "file:"+dir, "", func(func() time.Time) (core.Store, error) { return store, nil })
	for _, command := range []string{"count", "revoke --all --yes", "doctor"} {
		if _, talk, code := w.run(t.Context(), command); code != 5 || !strings.Contains(talk, "the application is running") {
			t.Errorf("%s: exit %d, %s", command, code, talk)
		}
	}
}

// TestFilesOfAnotherUser shows that root, for whom nothing else is in the way, leaves no
// files that the application may not open.
func TestFilesOfAnotherUser(t *testing.T) {
	dir := t.TempDir()
	store, err := filestore.Open(dir, filestore.Config{})
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(dir+"/lock", 65534, 65534); err != nil {
		t.Skip("only root gives files away")
	}
	w := newWorld(t, "file:"+dir, "", func(func() time.Time) (core.Store, error) { return store, nil })
	for _, command := range []string{"count", "revoke --all --yes", "doctor"} {
		if _, talk, code := w.run(t.Context(), command); code != 5 || !strings.Contains(talk, "belong to the user 65534") {
			t.Errorf("%s: exit %d, %s", command, code, talk)
		}
	}
}

// TestUsage shows what is told of command lines that cannot be meant.
func TestUsage(t *testing.T) {
	w := newWorld(t, "", "", func(func() time.Time) (core.Store, error) { return nil, nil })
	w.golden("usage.txt")
}

// TestIDsWithADash shows that an ID that begins with a dash is no flag.
func TestIDsWithADash(t *testing.T) {
	w := redisWorld(t, redistest.Shared(t).URL(), redistest.UniquePrefix(t))
	const id = "-AAAAAAAAAAAAAAAAAAAAA"
	for _, line := range []string{"show " + id, "show --json " + id + " --timeout 3s", "revoke " + id, "revoke -- " + id} {
		if _, talk, code := w.run(t.Context(), line); code != 3 || !strings.Contains(talk, id+": no such session") {
			t.Errorf("%s: exit %d, %s", line, code, talk)
		}
	}
	if _, talk, code := w.run(t.Context(), "list --user "+id); code != 2 {
		t.Errorf("list has no --user: exit %d, %s", code, talk)
	}
}

// TestUnreadableSessions shows what is told of entries that are not to be read: that they
// are encrypted, newer or not ours. They can be ended.
func TestUnreadableSessions(t *testing.T) {
	s := redistest.Start(t)
	w := redisWorld(t, s.URL(), redistest.UniquePrefix(t))
	w.store = sealed.Store(w.store, must(sealed.ParseKeyring(storeKeys)))
	w.fill()
	for name, content := range map[string]string{"newer": "\x03what it will be", "other": `{"user":"ann","passport":"\x1b[2J"}`} {
		id := core.ID{byte(len(w.ids))}
		w.ids[name] = id
		w.masks = append(w.masks, id.String(), ("@" + name + "......................")[:22])
		s.MustDo("SET", w.env["SATCHEL_PREFIX"]+id.String(), content, "EX", "1000")
	}
	w.golden("unreadable.txt")
}

// TestMissingPermissionIsNamed shows that a command says which one it lacks.
func TestMissingPermissionIsNamed(t *testing.T) {
	w := redisWorld(t, redistest.Start(t).URL(), "satchel:")
	server := redistest.Start(t)
	for command, line := range map[string]string{"hgetall": "list ann", "scan": "count", "unlink": "revoke --all --yes", "getex": "show @ann1"} {
		w.ids["ann1"], w.secret = core.ID{1}, []string{"hunter2"}
		w.env["SATCHEL_STORE"] = acl(t, server, command)
		if command == "unlink" {
			for i := range byte(100) {
				server.MustDo("SET", "satchel:"+core.ID{2, i}.String(), "")
			}
		}
		if _, talk, code := w.run(t.Context(), line); code != 1 || !strings.Contains(talk, "satchel doctor names the permissions") || len(talk) > 500 {
			t.Errorf("%s without %s: exit %d, %s", line, command, code, talk)
		}
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
