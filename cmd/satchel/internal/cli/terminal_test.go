package cli_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/goredisstore"
	"github.com/satchel-go/satchel/internal/testing/redistest"

	"github.com/satchel-go/satchel/cmd/satchel/internal/cli"
)

// typed is a terminal on which somebody types.
func typed(reply string) func(*cli.IO) {
	return func(o *cli.IO) { o.In, o.Asks, o.Progress, o.Colours = strings.NewReader(reply), true, true, true }
}

// TestConfirmation shows that nothing ends unless what is asked for is typed.
func TestConfirmation(t *testing.T) {
	w := redisWorld(t, redistest.Shared(t).URL(), redistest.UniquePrefix(t))
	w.fill()
	for _, test := range []struct{ line, reply, asks, out string }{
		{"revoke --user ann", "n\n", "End 2 sessions of ann? [y/N] ", ""},
		{"revoke --user ann", "", "End 2 sessions of ann?", ""},
		{"revoke --user ann", "y\n", "End 2 sessions of ann?", "2 sessions ended\n"},
		{"revoke --all", "y\n", "This ends 2 sessions in STORE.\nType PREFIX: to confirm: ", ""},
		{"revoke --all", "satchel:\n", "This ends 2 sessions", ""},
		{"revoke --all", w.env["SATCHEL_PREFIX"], "This ends 2 sessions", "2 sessions ended\n"},
	} {
		out, talk, code := w.run(t.Context(), test.line, typed(test.reply))
		asked := strings.NewReplacer(w.masks...).Replace(talk)
		want := map[bool]int{true: 5, false: 0}[test.out == ""]
		if out != test.out || code != want || !strings.Contains(asked, test.asks) || want == 5 && !strings.Contains(talk, "nothing has ended") {
			t.Errorf("%s, typed %q: exit %d, %q, %q", test.line, test.reply, code, out, asked)
		}
	}
}

// TestCtrlCAtAQuestion shows that Ctrl-C answers it: nothing ends.
func TestCtrlCAtAQuestion(t *testing.T) {
	w := redisWorld(t, redistest.Shared(t).URL(), redistest.UniquePrefix(t))
	w.fill()
	for _, line := range []string{"revoke --user ann", "revoke --all"} {
		in, typist := io.Pipe()
		ctx, cancel := context.WithCancel(t.Context())
		asked := make(chan string, 1)
		go func() {
			_, talk, code := w.run(ctx, line, typed(""), func(o *cli.IO) { o.In, o.Err = in, &onQuestion{Writer: o.Err, f: cancel} })
			asked <- fmt.Sprint(talk, code)
		}()
		select {
		case got := <-asked:
			if !strings.HasSuffix(got, "\nsatchel: not confirmed; nothing has ended\n5") {
				t.Errorf("%s: %q", line, got)
			}
		case <-time.After(5 * time.Second):
			_ = typist.Close()
			t.Fatalf("%s: Ctrl-C does nothing: %s", line, <-asked)
		}
		cancel()
	}
	if out, _, _ := w.run(t.Context(), "count"); out != "4 sessions\n" {
		t.Errorf("afterwards: %s", out)
	}
}

// onQuestion calls f once a question is on the terminal.
type onQuestion struct {
	io.Writer
	f func()
}

func (q *onQuestion) Write(p []byte) (int, error) {
	n, err := q.Writer.Write(p)
	if strings.HasSuffix(string(p), ": ") || strings.HasSuffix(string(p), "] ") {
		q.f()
	}
	return n, err
}

// TestProgressMakesRoom shows that what is printed is not behind a line of progress.
func TestProgressMakesRoom(t *testing.T) {
	server := redistest.Start(t)
	seed(t, server.URL(), 100)
	w := redisWorld(t, server.URL(), "satchel:")
	w.now = time.Now()
	var screen safe
	_, _, code := w.run(t.Context(), "count", func(o *cli.IO) { *o = cli.TerminalOf(true, true, true); o.Out, o.Err = &screen, &screen })
	if got := screen.String(); code != 0 || !strings.Contains(got, " so far") || !strings.HasSuffix(got, "\r\x1b[K100 sessions\n") {
		t.Errorf("exit %d, %q", code, got)
	}
}

// TestHangingServer shows that --timeout bounds the wait for a server that does not answer.
func TestHangingServer(t *testing.T) {
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	for _, url := range []string{"redis://", "postgres://a@", "mysql://a@"} {
		w := newWorld(t, url+listener.Addr().String()+"/0", "", func(func() time.Time) (core.Store, error) { return nil, nil })
		for _, line := range []string{"count", "doctor"} {
			if _, talk, code := w.run(t.Context(), line+" --timeout 100ms"); code != 4 || !strings.Contains(talk, "does not answer within 100ms") {
				t.Errorf("%s%s: exit %d, %s", url, line, code, talk)
			}
		}
	}
}

// TestFailuresAreTold shows that a failure is told and has its exit code, also beside
// a session that is not there, and that a full disk is not an unavailable store.
func TestFailuresAreTold(t *testing.T) {
	w := redisWorld(t, redistest.Shared(t).URL(), redistest.UniquePrefix(t))
	w.fill()
	e, err := w.store.Load(t.Context(), w.ids["ann1"])
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.store.Save(t.Context(), core.ID{7}, e, 0); err != nil { // the Manager refuses what it cannot be sure of
		t.Fatal(err)
	}
	w.ids["copy"], w.ids["none"] = core.ID{7}, core.ID{8}
	out, talk, code := w.run(t.Context(), "revoke @none @copy @ann2")
	if code != 4 || out != "1 session ended\n" || !strings.Contains(talk, "no such session") || !strings.Contains(talk, "another session's record") {
		t.Errorf("revoke: exit %d, %q, %q", code, out, talk)
	}
	if out, talk, code := w.run(t.Context(), "count --detail"); code != 0 || !strings.Contains(out, "1 that cannot be read") {
		t.Errorf("count with a copy of a session: exit %d, %q, %q", code, out, talk)
	}
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip("this system has no /dev/full")
	}
	defer func() { _ = full.Close() }()
	for _, line := range []string{"count", "doctor", "list --all"} {
		if _, talk, code := w.run(t.Context(), line, func(o *cli.IO) { o.Out = full }); code != 1 || !strings.Contains(talk, "no space left") {
			t.Errorf("%s on a full disk: exit %d, %q", line, code, talk)
		}
	}
}

// TestColours shows that only a terminal gets them.
func TestColours(t *testing.T) {
	w := redisWorld(t, redistest.Shared(t).URL(), redistest.UniquePrefix(t))
	if out, _, _ := w.run(t.Context(), "doctor", typed("")); !strings.Contains(out, "\x1b[32m✓\x1b[0m config") {
		t.Errorf("on a terminal: %q", out)
	}
	if out, _, _ := w.run(t.Context(), "doctor"); strings.Contains(out, "\x1b") {
		t.Errorf("elsewhere: %q", out)
	}
	for _, test := range []struct {
		noColour, term    string
		terminal          bool
		colours, progress bool
	}{
		{"", "xterm", true, true, true}, {"1", "xterm", true, false, true}, {"", "dumb", true, false, false}, {"", "xterm", false, false, false},
	} {
		t.Setenv("NO_COLOR", test.noColour)
		t.Setenv("TERM", test.term)
		if o := cli.TerminalOf(false, test.terminal, test.terminal); o.Colours != test.colours || o.Progress != test.progress || o.Asks {
			t.Errorf("%+v: colours %v, progress %v, asks %v", test, o.Colours, o.Progress, o.Asks)
		}
	}
}

// TestSEC17Interrupted shows that Ctrl-C in the middle of revoke --all says how far it got, and
// that the rest is ended by another run.
func TestSEC17Interrupted(t *testing.T) {
	server := redistest.Start(t)
	seed(t, server.URL(), 4000)
	server.MustDo("SET", "other:satchel:1", "stays")
	proxy := redistest.StartProxy(t, server.Addr())
	ctx, cancel := context.WithCancel(t.Context())
	unlinked := 0
	proxy.CutBefore(redistest.Always, func(args []string) bool {
		if strings.EqualFold(args[0], "unlink") {
			if unlinked++; unlinked == 3000 {
				cancel()
			}
		}
		return false
	})
	heard := watched(t, server.URL())
	w := redisWorld(t, proxy.URL(), "satchel:")
	out, talk, code := w.run(ctx, "revoke --all --yes")
	var ended int
	_, rest, _ := strings.Cut(talk, "interrupted: at least ")
	if _, err := fmt.Sscan(rest, &ended); err != nil || out != "" || code != 1 || ended < 1 || ended >= 4000 || !strings.Contains(rest, "run it again") {
		t.Fatalf("exit %d, %q, %q", code, out, talk)
	}
	select {
	case <-heard:
	case <-time.After(10 * time.Second):
		t.Error("streams are not told of those that have ended")
	}
	w.now = time.Now()
	if out, _, code := w.run(t.Context(), "revoke --all --yes"); code != 0 || out == "0 sessions ended\n" {
		t.Errorf("again: exit %d, %s", code, out)
	}
	if left := server.Strings("KEYS", "*"); !slices.Equal(left, []string{"other:satchel:1"}) {
		t.Errorf("%d keys are left, such as %.3q", len(left), left)
	}
}

// watched returns what a watcher of the store at url hears, from when it listens on.
func watched(t *testing.T, url string) <-chan core.ID {
	store, err := goredisstore.Open(url, goredisstore.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	heard := make(chan core.ID, 10)
	go func() { _ = store.Watch(t.Context(), func(id core.ID) { heard <- id }) }()
	<-heard // it listens
	return heard
}

// TestManySessionsAreNotListedUnasked shows the bound of list --all, and its limit.
func TestManySessionsAreNotListedUnasked(t *testing.T) {
	server := redistest.Start(t)
	seed(t, server.URL(), 1001)
	w := redisWorld(t, server.URL(), "satchel:")
	w.now = time.Now()
	if out, talk, code := w.run(t.Context(), "list --all"); out != "" || code != 5 || !strings.Contains(talk, "more than 1000 sessions: say how many with --limit") {
		t.Errorf("exit %d, %q, %q", code, out, talk)
	}
	if out, _, code := w.run(t.Context(), "list --all --limit 1001 --json"); code != 0 || strings.Count(out, "\n") != 1001 {
		t.Errorf("exit %d, %d lines", code, strings.Count(out, "\n"))
	}
}

// TestI2WatchPrintsEnds shows that watch prints ends that another process makes, in Redis
// and PostgreSQL, and that revoke --all reaches it: so it does those who stream.
func TestI2WatchPrintsEnds(t *testing.T) {
	for _, store := range worlds {
		if store.name != "redis" && store.name != "postgres" || testing.Short() && store.name != "redis" {
			continue
		}
		t.Run(store.name, func(t *testing.T) {
			w := store.open(t)
			w.fill()
			ctx, cancel := context.WithCancel(t.Context())
			var out safe
			done := make(chan int)
			go func() {
				_, _, code := w.run(ctx, "watch", func(o *cli.IO) { o.Out = &out })
				done <- code
			}()
			await(t, &out, "watching ")
			if err := w.store.Delete(t.Context(), w.ids["eve"]); err != nil {
				t.Fatal(err)
			}
			await(t, &out, w.ids["eve"].String()+" ended\n")
			all, _ := core.StoreAs[core.AllDeleter](w.store)
			if err := all.DeleteAll(t.Context()); err != nil {
				t.Fatal(err)
			}
			await(t, &out, "every session may have ended\n")
			cancel()
			if code := <-done; code != 0 {
				t.Errorf("exit %d", code)
			}
		})
	}
}

// TestI2SEC17StreamsAreTold shows that the application hears of what revoke ends.
func TestI2SEC17StreamsAreTold(t *testing.T) {
	for _, store := range worlds {
		switch store.name {
		case "cluster", "sentinel":
			if testing.Short() {
				continue
			}
		case "redis", "gorilla":
		default:
			continue
		}
		t.Run(store.name, func(t *testing.T) {
			w := store.open(t)
			w.fill()
			watcher, _ := core.StoreAs[core.Watcher](w.store)
			heard := make(chan core.ID, 100)
			go func() { _ = watcher.Watch(t.Context(), func(id core.ID) { heard <- id }) }()
			<-heard // it listens
			for _, test := range []struct {
				line string
				want core.ID
			}{{"revoke @eve", w.ids["eve"]}, {"revoke --user ann --yes", w.ids["ann1"]}, {"revoke --all --yes", core.ID{}}} {
				if _, talk, code := w.run(t.Context(), test.line); code != 0 {
					t.Fatalf("%s: exit %d, %s", test.line, code, talk)
				}
				for waited := time.After(20 * time.Second); ; {
					select {
					case id := <-heard:
						if id != test.want {
							continue
						}
					case <-waited:
						t.Errorf("%s: the application has not heard of it", test.line)
					}
					break
				}
			}
		})
	}
}

func await(t *testing.T, out *safe, texts ...string) {
	t.Helper()
	for _, text := range texts {
		for end := time.Now().Add(20 * time.Second); !strings.Contains(out.String(), text); time.Sleep(10 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("no %q in %q", text, out.String())
			}
		}
	}
}

// build builds the program, for what only a process shows.
func build(t *testing.T) string {
	t.Helper()
	path := t.TempDir() + "/satchel"
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", path, "../..").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return path
}

// seed logs n users in.
func seed(t *testing.T, url string, n int) {
	t.Helper()
	store, err := goredisstore.Open(url, goredisstore.Config{Timeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = store.Close() }()
	m, err := core.New(core.ServerSide(store), core.Config{LoadTimeout: time.Minute, CommitTimeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	const workers = 32
	var all sync.WaitGroup
	for w := range workers {
		all.Go(func() {
			for i := w; i < n; i += workers {
				s := m.NewSession(context.Background())
				s.Login("user-" + strconv.Itoa(i))
				if err := s.Commit(context.Background()); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
}

// TestClosedPipe shows that a reader that has enough ends the program without a word, and
// that Ctrl-C ends watch as it should.
func TestClosedPipe(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the program")
	}
	server := redistest.Start(t)
	seed(t, server.URL(), 2000)
	path := build(t)
	for script, want := range map[string]string{
		path + " list --all --limit 2000 | head -1 | cut -c1-2": "ID\n",
		"NO_COLOR=1 " + path + " count </dev/null":              "2000 sessions\n",
		path + " revoke --all </dev/null":                       "satchel: no terminal to ask on: add --yes\n",
		path + " watch & sleep 1; kill -INT $!; wait $!":        "watching redis at " + server.Addr() + "/0, prefix satchel:\n",
	} {
		cmd := exec.CommandContext(t.Context(), "bash", "-c", script)
		cmd.Env = append(os.Environ(), "SATCHEL_STORE="+server.URL(), "SATCHEL_PREFIX=")
		if out, _ := cmd.CombinedOutput(); string(out) != want {
			t.Errorf("%s prints %q, want %q", strings.TrimPrefix(script, path), out, want)
		}
	}
}

// TestKeys shows that a new key is good, and that check repeats none.
func TestKeys(t *testing.T) {
	w := newWorld(t, "", "", func(func() time.Time) (core.Store, error) { return nil, nil })
	key, talk, _ := w.run(t.Context(), "keys new", typed(""))
	if again, _, _ := w.run(t.Context(), "keys new"); again == key || len(key) != 45 || talk == "" {
		t.Errorf("keys of %d characters, said %q", len(key), talk)
	}
	w.secret = append(w.secret, strings.TrimSpace(key), "hunter2")
	w.env["SESSION_KEYS"] = key
	if out, _, code := w.run(t.Context(), "keys check --json"); code != 0 || out != `{"variable":"SESSION_KEYS","keys":1}`+"\n" {
		t.Errorf("exit %d, %s", code, out)
	}
	w.env["STORE_KEYS"] = key + ",hunter2"
	if out, _, code := w.run(t.Context(), "keys check"); code != 1 || !strings.Contains(out, "STORE_KEYS: sealed: keyring: key 2") {
		t.Errorf("exit %d, %s", code, out)
	}
}
