//go:build unix

package redistest

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestServerAnswersAndEnds(t *testing.T) {
	t.Parallel()
	var addr string
	var s *Server
	t.Run("running", func(t *testing.T) {
		s = Start(t)
		addr = s.Addr()
		s.MustDo("SET", "k", "v")
		s.MustDo("RPUSH", "list", "a", "b")
		if got := s.MustDo("GET", "k"); got != "v" {
			t.Errorf("GET: %v", got)
		}
		if got := s.MustDo("GET", "absent"); got != nil {
			t.Errorf("GET of an absent key: %v", got)
		}
		if got := s.MustDo("DEL", "k"); got != int64(1) {
			t.Errorf("DEL: %v", got)
		}
		if got := s.Strings("LRANGE", "list", "0", "-1"); len(got) != 2 || got[1] != "b" {
			t.Errorf("LRANGE: %v", got)
		}
		var answered ReplyError
		if _, err := s.Do("GET", "list"); !errors.As(err, &answered) || !strings.HasPrefix(answered.Error(), "WRONGTYPE") {
			t.Errorf("GET of a list: %v", err)
		}
		if n := s.CommandStats()["rpush"]; n != 1 {
			t.Errorf("%d calls of rpush counted, want 1", n)
		}
		if _, err := s.Do("DEBUG", "SLEEP", "0"); err != nil {
			t.Errorf("DEBUG: %v", err)
		}
		s.FlushAll()
		if got := s.Strings("KEYS", "*"); len(got) != 0 {
			t.Errorf("after FLUSHALL: %v", got)
		}
	})
	if _, err := s.Do("PING"); err == nil {
		t.Errorf("the server at %s outlives its test", addr)
	}
}

func TestKillAndRestart(t *testing.T) {
	t.Parallel()
	s := Start(t)
	s.MustDo("SET", "k", "v")
	addr := s.Addr()
	s.Kill()
	s.Kill()
	if _, err := s.Do("PING"); err == nil {
		t.Error("a killed server answers")
	}
	s.Restart()
	if s.Addr() != addr {
		t.Errorf("restarted on %s, was on %s", s.Addr(), addr)
	}
	if got := s.MustDo("GET", "k"); got != nil {
		t.Errorf("a restarted server still has %v", got)
	}
}

func TestStopAndContinue(t *testing.T) {
	t.Parallel()
	s := Start(t)
	s.Stop()
	done := make(chan error, 1)
	go func() {
		_, err := s.Do("PING")
		done <- err
	}()
	select {
	case err := <-done:
		t.Errorf("a stopped server answers (%v)", err)
	case <-time.After(50 * time.Millisecond):
	}
	s.Continue()
	if err := <-done; err != nil {
		t.Errorf("after Continue: %v", err)
	}
	s.Stop() // and it is still killed at the end
}

func TestPause(t *testing.T) {
	t.Parallel()
	s := Start(t)
	s.Pause(100 * time.Millisecond)
	start := time.Now()
	s.MustDo("SET", "k", "v")
	if d := time.Since(start); d < 50*time.Millisecond {
		t.Errorf("a paused server answers after %v", d)
	}
}

func TestPasswordAndTLS(t *testing.T) {
	t.Parallel()
	s := Start(t, Password("sesame"), TLS())
	if got := s.MustDo("PING"); got != "PONG" {
		t.Errorf("PING: %v", got)
	}
	u, err := url.Parse(s.URL())
	if err != nil {
		t.Fatal(err)
	}
	if password, _ := u.User.Password(); u.Scheme != "rediss" || password != "sesame" || u.Host != s.Addr() {
		t.Errorf("URL: %s", u)
	}
	if s.TLSConfig() == nil || s.CAFile() == "" {
		t.Error("no certificate for clients")
	}
	plain := &Server{tb: t, port: s.port}
	if _, err := plain.Do("PING"); err == nil {
		t.Error("the server answers without TLS")
	}
	stranger := &Server{tb: t, port: s.port, identity: s.identity}
	if _, err := stranger.Do("GET", "k"); err == nil || !strings.HasPrefix(err.Error(), "NOAUTH") {
		t.Errorf("without the password: %v", err)
	}
}

func TestArgs(t *testing.T) {
	t.Parallel()
	s := Start(t, Args("--maxmemory", "10mb", "--maxmemory-policy", "noeviction"))
	if got := s.Strings("CONFIG", "GET", "maxmemory"); got[1] != strconv.Itoa(10<<20) {
		t.Errorf("maxmemory: %v", got)
	}
	if _, err := start(t.TempDir(), Args("--no-such-setting", "1")); err == nil {
		t.Error("a setting that does not exist starts a server")
	}
}

func TestSharedIsOneServer(t *testing.T) {
	t.Parallel()
	a, b := Shared(t), Shared(t)
	if a.Addr() != b.Addr() {
		t.Errorf("two servers: %s and %s", a.Addr(), b.Addr())
	}
	p, q := UniquePrefix(t), UniquePrefix(t)
	if p == q {
		t.Errorf("the prefix %q twice", p)
	}
	a.MustDo("SET", p+"k", "v")
	if got := b.Strings("KEYS", q+"*"); len(got) != 0 {
		t.Errorf("the other prefix has %v", got)
	}
}

func TestMissingServerSaysHowToInstall(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	_, err := start(t.TempDir())
	if err == nil || !strings.Contains(err.Error(), "apt-get install redis-server") ||
		!strings.Contains(err.Error(), "brew install redis") {
		t.Errorf("without redis-server: %v", err)
	}
}

// A test binary that is killed takes its servers with it.
func TestServersEndWithTheTestBinary(t *testing.T) {
	if os.Getenv("REDISTEST_CHILD") != "" {
		s := Start(t)
		fmt.Printf("PID=%d\n", s.proc.PID())
		if err := syscall.Kill(os.Getpid(), syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		select {}
	}
	t.Parallel()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestServersEndWithTheTestBinary$")
	cmd.Env = append(os.Environ(), "REDISTEST_CHILD=1", "TMPDIR="+t.TempDir())
	out, err := cmd.Output()
	if err == nil {
		t.Fatal("the child was to be killed")
	}
	_, after, ok := strings.Cut(string(out), "PID=")
	if !ok {
		t.Fatalf("no server in the child: %s", out)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(after))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for alive(pid) {
		select {
		case <-ctx.Done():
			_ = syscall.Kill(pid, syscall.SIGKILL)
			t.Fatalf("the server %d outlives its test binary", pid)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// alive reports whether pid runs. A process that is dead but not yet waited for
// does not.
func alive(pid int) bool {
	if syscall.Kill(pid, 0) != nil {
		return false
	}
	out, _ := exec.CommandContext(context.Background(), "ps", "-o", "stat=", "-p", strconv.Itoa(pid)).Output()
	state := strings.TrimSpace(string(out))
	return state != "" && !strings.HasPrefix(state, "Z")
}
