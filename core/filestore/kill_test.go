package filestore

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
)

// childVar names the directory for a process that TestK2Kill starts.
const childVar = "SATCHEL_FILESTORE_CHILD"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childVar); dir != "" {
		child(dir)
		return
	}
	os.Exit(m.Run())
}

// child works on the store in dir until it is killed, and prints what it does.
func child(dir string) {
	s, err := open(dir, Config{Logger: quiet, SweepInterval: -1})
	if err != nil {
		panic(err)
	}
	var mu sync.Mutex
	out := json.NewEncoder(os.Stdout)
	for n := range 3 {
		c := newClient(n)
		c.store = s
		c.learn()
		c.tell = func(r report) {
			mu.Lock()
			defer mu.Unlock()
			if err := out.Encode(r); err != nil {
				panic(err)
			}
		}
		go c.run(rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), uint64(n))))
	}
	for {
		time.Sleep(time.Duration(rand.IntN(20)) * time.Millisecond)
		wake(s.grown)
	}
}

// learn finds out what the store has.
func (c *client) learn() {
	for _, id := range c.ids {
		e, err := c.store.Load(background, id)
		if errors.Is(err, core.ErrNotFound) {
			continue
		}
		ids, listErr := c.store.List(background, c.name)
		if err := errors.Join(err, listErr); err != nil {
			panic(err)
		}
		c.known[id] = state{Data: string(e.Data), User: e.User, Version: e.Version, Listed: slices.Contains(ids, id)}
	}
}

// TestK2Kill kills a process with SIGKILL while it saves and ends sessions, and looks at
// what it has left; again and again in the same directory.
func TestK2Kill(t *testing.T) {
	rounds := 200
	if testing.Short() {
		rounds = 10
	}
	dir, calls := t.TempDir(), 0
	clients := []*client{newClient(0), newClient(1), newClient(2)}
	for round := range rounds {
		calls += killed(t, dir, clients)
		s, err := open(dir, Config{Logger: quiet, SweepInterval: -1})
		if err != nil {
			t.Fatalf("round %d: Open: %v", round, err)
		}
		for _, c := range clients {
			c.check(t, s)
		}
		if err := s.Close(); err != nil {
			t.Fatalf("Close: %v", err)
		}
	}
	if calls < 5*rounds {
		t.Errorf("only %d calls in %d rounds", calls, rounds)
	}
	t.Logf("%d calls, %d processes killed", calls, rounds)
}

// whileOtherRuns calls f while another process uses dir, and returns its ID.
func whileOtherRuns(t *testing.T, dir string, f func()) (pid int) {
	t.Helper()
	cmd, in := startChild(t, dir)
	for began := false; ; {
		var r report
		if err := in.Decode(&r); err != nil {
			break
		}
		if !began {
			began = true
			f()
			_ = cmd.Process.Kill() // it may have ended
		}
	}
	_ = cmd.Wait() // it was killed
	return cmd.Process.Pid
}

// startChild starts this program as a child, and returns what it prints.
func startChild(t *testing.T, dir string) (*exec.Cmd, *json.Decoder) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), exe)
	cmd.Env = append(os.Environ(), childVar+"="+dir)
	cmd.Stderr = os.Stderr
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, json.NewDecoder(bufio.NewReader(pipe))
}

// killed starts a process and kills it after a while. The clients then know what it has
// told of them. It returns how many calls were acknowledged.
func killed(t *testing.T, dir string, clients []*client) (calls int) {
	t.Helper()
	cmd, in := startChild(t, dir)
	var kill *time.Timer
	for {
		var r report
		if err := in.Decode(&r); err != nil {
			if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Fatal(err)
			}
			break
		}
		if kill == nil { // it is at work
			kill = time.AfterFunc(time.Duration(rand.IntN(40_000))*time.Microsecond, func() { _ = cmd.Process.Kill() })
		}
		c := clients[r.Client]
		c.inFlight, c.maybe = c.ids[r.ID], r.Maybe
		if r.Done {
			c.known[c.inFlight] = r.Maybe
			calls++
		}
	}
	if err := cmd.Wait(); err == nil || kill == nil {
		t.Fatalf("the process ended before it was killed: %v", err)
	}
	return calls
}

// TestGuideBackup copies the directory while sessions are saved and snapshots made, as
// the guide on operations says, and opens the copies.
func TestGuideBackup(t *testing.T) {
	dir := t.TempDir()
	s := mustOpen(t, dir, Config{})
	for n := range 100 {
		save(t, s, n, "", "kept")
	}
	c := newClient(0)
	c.store = s
	done := make(chan struct{})
	go func() {
		defer close(done)
		c.run(rand.New(rand.NewPCG(1, 1)))
	}()
	for range 20 {
		wake(s.grown)
		to := t.TempDir()
		err := os.CopyFS(to, os.DirFS(dir))
		if errors.Is(err, os.ErrNotExist) { // as cp says it
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		restored := mustOpen(t, to, Config{})
		if found := there(t, restored, 100); len(found) != 100 {
			t.Errorf("%d of 100 sessions are in the copy", len(found))
		}
		shut(t, restored)
	}
	shut(t, s)
	<-done
}
