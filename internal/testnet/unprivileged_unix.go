//go:build unix

package testnet

import (
	"os"
	"os/exec"
	"syscall"
)

// nobody is the user without rights on every Unix that matters here.
const nobody = 65534

// unprivileged makes cmd run as nobody, and gives it its directory, where the
// test runs as root: PostgreSQL refuses to run as root.
func unprivileged(cmd *exec.Cmd, dir string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	return os.Chown(dir, nobody, nobody)
}
