//go:build unix && !linux

package app

import (
	"io"
	"os/exec"
	"syscall"
)

// ownGroup has the command lead a group of processes.
func ownGroup(cmd *exec.Cmd, _ io.Reader) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
}

func signalGroup(cmd *exec.Cmd, s syscall.Signal) { _ = syscall.Kill(-cmd.Process.Pid, s) }
