package process

import (
	"os/exec"
	"syscall"
)

// endWithParent asks the kernel to kill the process when the thread that starts it
// ends. The caller keeps that thread while the process runs.
func endWithParent(cmd *exec.Cmd) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
}

func guard(int) (release func(), err error) { return func() {}, nil }
