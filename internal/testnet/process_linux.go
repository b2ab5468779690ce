package testnet

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
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

// Pause stops the server and its children where they stand, as if the machine
// had no time for them.
func (p *Process) Pause() { signalAll(p.cmd.Process.Pid, syscall.SIGSTOP) }

// Resume lets them go on.
func (p *Process) Resume() { signalAll(p.cmd.Process.Pid, syscall.SIGCONT) }

func signalAll(pid int, s os.Signal) {
	if proc, err := os.FindProcess(pid); err == nil {
		_ = proc.Signal(s)
	}
	list, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	for child := range strings.FieldsSeq(string(list)) {
		if n, err := strconv.Atoi(child); err == nil {
			signalAll(n, s)
		}
	}
}
