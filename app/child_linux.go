package app

import (
	"io"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"
)

// ownGroup has the command lead a group of processes, in the foreground of the
// terminal where there is one, and end with this process.
func ownGroup(cmd *exec.Cmd, in io.Reader) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	f, ok := in.(*os.File)
	if !ok {
		return
	}
	// No terminal, or this process is in its background.
	if front, err := unix.IoctlGetInt(int(f.Fd()), unix.TIOCGPGRP); err != nil || front != unix.Getpgrp() {
		return
	}
	// Whoever takes the terminal over is in its background at that moment, and
	// so is this process afterwards.
	signal.Ignore(syscall.SIGTTOU)
	cmd.SysProcAttr.Foreground, cmd.SysProcAttr.Ctty = true, int(f.Fd())
}

func signalGroup(cmd *exec.Cmd, s syscall.Signal) { _ = syscall.Kill(-cmd.Process.Pid, s) }
