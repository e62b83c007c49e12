//go:build unix

package redistest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestMissingServerSaysHowToInstall(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	_, err := Launch(t.TempDir())
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
