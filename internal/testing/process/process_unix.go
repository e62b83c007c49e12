//go:build unix

package process

import (
	"os"
	"os/exec"
	"syscall"
)

func suspend(p *os.Process) error { return p.Signal(syscall.SIGSTOP) }

func resume(p *os.Process) error { return p.Signal(syscall.SIGCONT) }

// nobody is the user without rights.
const nobody = 65534

// Unprivileged makes cmd run as the user nobody if this process is root, for
// programs that refuse to run as root.
func Unprivileged(cmd *exec.Cmd) {
	if os.Geteuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	}
}

// UnprivilegedDir makes a new temporary directory that belongs to the user of
// [Unprivileged]. The caller removes it.
func UnprivilegedDir() (string, error) {
	dir, err := os.MkdirTemp("", "satchel-")
	if err == nil && os.Geteuid() == 0 {
		err = os.Chown(dir, nobody, nobody)
	}
	return dir, err
}
