package redistest

import (
	"context"
	"errors"
	"os/exec"
	"strconv"
	"strings"

	"github.com/satchel-go/satchel/internal/testing/process"
)

// errNotInstalled says how to install Redis on the systems that the project supports.
var errNotInstalled = errors.New("redis-server is not in PATH, and these tests need the real one; install it with\n" +
	"\tapt-get install redis-server   (Debian, Ubuntu; as root or with sudo)\n" +
	"\tbrew install redis             (macOS)")

func startProcess(args []string) (*process.Process, error) {
	path, err := exec.LookPath("redis-server")
	if err != nil {
		return nil, errNotInstalled
	}
	return process.Start(exec.CommandContext(context.Background(), path, args...))
}

// major returns redis-server's major version, 0 if unknown.
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
