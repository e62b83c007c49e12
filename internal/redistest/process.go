package redistest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
)

// errNotInstalled says what to do, on the systems that the project supports.
var errNotInstalled = errors.New("redis-server is not in PATH, and these tests need the real one; install it with\n" +
	"\tapt-get install redis-server   (Debian, Ubuntu; as root or with sudo)\n" +
	"\tbrew install redis             (macOS)")

// process is one running redis-server.
type process struct {
	cmd  *exec.Cmd
	log  *tail
	done chan struct{} // closed once it has been waited for
	once sync.Once
	free func() // releases what kills it when this process dies
}

func startProcess(args []string) (*process, error) {
	path, err := exec.LookPath("redis-server")
	if err != nil {
		return nil, errNotInstalled
	}
	p := &process{
		cmd:  exec.CommandContext(context.Background(), path, args...),
		log:  &tail{},
		done: make(chan struct{}),
	}
	p.cmd.Stdout, p.cmd.Stderr = p.log, p.log
	endWithParent(p.cmd)
	started := make(chan error)
	go func() {
		// The kernel's "parent" is the thread, so this one must stay.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := p.cmd.Start()
		started <- err
		if err == nil {
			_ = p.cmd.Wait()
			close(p.done)
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("redistest: start %s: %w", path, err)
	}
	if p.free, err = guard(p.cmd.Process.Pid); err != nil {
		p.free = func() {}
		p.kill()
		return nil, fmt.Errorf("redistest: guard the server: %w", err)
	}
	return p, nil
}

// kill ends the process at once, stopped or not, and waits until it is gone.
func (p *process) kill() {
	p.once.Do(func() {
		p.free()
		_ = p.cmd.Process.Kill()
	})
	<-p.done
}

func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// tail keeps the last of what a server prints, for failures.
type tail struct {
	mu  sync.Mutex
	buf []byte
}

func (t *tail) Write(b []byte) (int, error) {
	const most = 16 << 10
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buf = append(t.buf, b...)
	if over := len(t.buf) - most; over > 0 {
		t.buf = bytes.Clone(t.buf[over:])
	}
	return len(b), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.buf)
}

// major is the first number of the version of redis-server, 0 if unknown.
func major() int {
	out, err := exec.CommandContext(context.Background(), "redis-server", "--version").Output()
	if err != nil {
		return 0
	}
	_, version, _ := strings.Cut(string(out), " v=")
	first, _, _ := strings.Cut(version, ".")
	n, _ := strconv.Atoi(first)
	return n
}

// freePort finds a port that is free, with its cluster bus port ten thousand
// above. Both are below the ports that systems give to outgoing connections, so
// that none of those takes the port while a server restarts.
func freePort() (int, error) {
	for range 100 {
		port := 10_000 + rand.IntN(12_000)
		if portFree(port) && portFree(port+10_000) {
			return port, nil
		}
	}
	return 0, errors.New("redistest: found no free port")
}

func portFree(port int) bool {
	var lc net.ListenConfig
	l, err := lc.Listen(context.Background(), "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return false
	}
	return l.Close() == nil
}
