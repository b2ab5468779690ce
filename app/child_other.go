//go:build !unix

package app

import (
	"io"
	"os/exec"
	"syscall"
)

func ownGroup(*exec.Cmd, io.Reader) {}

// signalGroup ends the command: there are no signals here.
func signalGroup(cmd *exec.Cmd, _ syscall.Signal) { _ = cmd.Process.Kill() }
