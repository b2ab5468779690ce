//go:build unix

package build

import (
	"os/exec"
	"syscall"
)

// ownGroup makes a build the head of a process group, so that its end is that of
// everything it started.
func ownGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
}
