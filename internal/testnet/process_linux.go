package testnet

import (
	"os/exec"
	"syscall"
)

// endWithParent makes the kernel end the server when the thread that starts it
// ends.
func endWithParent(cmd *exec.Cmd) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Pdeathsig = syscall.SIGQUIT
}
