//go:build !linux

package process

import (
	"context"
	"os"
	"os/exec"
	"strconv"
)

func endWithParent(*exec.Cmd) {}

// guard starts a shell that kills the process when this one is gone. The shell
// waits for the end of a pipe whose other end only this process holds.
func guard(pid int) (release func(), err error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(context.Background(), "/bin/sh", "-c", `read -r _; kill -9 "$0"`, strconv.Itoa(pid))
	cmd.Stdin = r
	err = cmd.Start()
	_ = r.Close()
	if err != nil {
		_ = w.Close()
		return nil, err
	}
	return func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		_ = w.Close()
	}, nil
}
