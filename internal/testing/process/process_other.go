//go:build !unix

package process

import (
	"errors"
	"os"
	"os/exec"
)

func suspend(*os.Process) error { return errors.ErrUnsupported }

func resume(*os.Process) error { return errors.ErrUnsupported }

// Unprivileged changes nothing here.
func Unprivileged(*exec.Cmd) {}

// UnprivilegedDir makes a new temporary directory, which the caller removes.
func UnprivilegedDir() (string, error) { return os.MkdirTemp("", "satchel-") }
