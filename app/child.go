package app

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"syscall"
	"time"
)

// childGrace is how long the app may take to end after it was told to.
const childGrace = 5 * time.Second

// quietExit ends this process with the code of a command that has said itself
// what there was to say.
type quietExit struct{ code int }

// Error implements error.
func (quietExit) Error() string { return "the command ended" }

func exitedWith(code int) error {
	if code == exitOK {
		return nil
	}
	return quietExit{code}
}

// childProcess is the app's own command. It leads a group of its own, so that a
// signal reaches all that it started, once, and none of it is left behind.
type childProcess struct {
	argv []string
	dir  string
	vars []string
	env  Environment
	// path, when set, is the program; files are further ones that it inherits.
	path  string
	files []*os.File
	// patient is for a command that drains by itself: SIGHUP goes on to it as well,
	// and it is given the time that it takes.
	patient bool

	cmd     *exec.Cmd
	done    chan struct{} // closed once it has ended
	code    int           // after done
	signals chan os.Signal
}

// start starts the command with the files of this process. On Linux it dies
// with this process, however that ends.
func (c *childProcess) start() error {
	path, err := c.program()
	if err != nil {
		return err
	}
	c.cmd = exec.Command(path, c.argv[1:]...) //nolint:gosec,noctx // the operator's own command, ended by signals
	c.cmd.Args[0] = c.argv[0]
	c.cmd.Dir, c.cmd.Env = c.dir, c.vars
	c.cmd.Stdin, c.cmd.Stdout, c.cmd.Stderr = c.env.Stdin, c.env.Stdout, c.env.Stderr
	c.cmd.ExtraFiles = c.files
	c.cmd.WaitDelay = childGrace
	ownGroup(c.cmd, c.env.Stdin)
	c.done, c.signals = make(chan struct{}), make(chan os.Signal, 4)
	signal.Notify(c.signals, c.passedOn()...)
	started := make(chan error, 1)
	go func() {
		// The kernel ends a child with the thread that made it.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := c.cmd.Start()
		started <- err
		if err != nil {
			return
		}
		err = c.cmd.Wait()
		c.code = codeOf(c.cmd, err)
		signalGroup(c.cmd, syscall.SIGTERM)
		close(c.done)
	}()
	if err := <-started; err != nil {
		signal.Stop(c.signals)
		return err
	}
	go c.forward()
	return nil
}

// find looks for the program as the app's own scripts would: the folder of its
// packages first.
func (c *childProcess) find() (string, error) {
	name := c.argv[0]
	if filepath.Base(name) == name {
		own := filepath.Join(c.dir, "node_modules", ".bin", name)
		if info, err := os.Stat(own); err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o111 != 0 {
			return own, nil
		}
	} else if !filepath.IsAbs(name) {
		name = filepath.Join(c.dir, name)
	}
	return exec.LookPath(name)
}

// forward passes the signals of this process on. The second one ends the
// command at once.
func (c *childProcess) forward() {
	first := true
	for {
		select {
		case <-c.done:
			signal.Stop(c.signals)
			return
		case s := <-c.signals:
			sig, ok := s.(syscall.Signal)
			switch {
			case !ok:
			case c.patient: // it has its own rule for a second one
				signalGroup(c.cmd, sig)
			case first:
				signalGroup(c.cmd, sig)
				first = false
			default:
				signalGroup(c.cmd, syscall.SIGKILL)
			}
		}
	}
}

// ended gives the exit code once the command has ended. The end of ctx tells
// the command to end.
func (c *childProcess) ended(ctx context.Context) <-chan int {
	out := make(chan int, 1)
	go func() {
		select {
		case <-c.done:
		case <-ctx.Done():
			c.stop()
		}
		out <- c.code
	}()
	return out
}

// stop ends the command, by force after a while, and gives its exit code.
func (c *childProcess) stop() int {
	signalGroup(c.cmd, syscall.SIGTERM)
	grace := childGrace
	if c.patient {
		grace += standardBounds().drain
	}
	select {
	case <-c.done:
	case <-time.After(grace):
		signalGroup(c.cmd, syscall.SIGKILL)
		<-c.done
	}
	return c.code
}

// codeOf is the exit code as a shell tells it: 128 and the signal for what a
// signal ended.
func codeOf(cmd *exec.Cmd, err error) int {
	if cmd.ProcessState == nil {
		return exitRefused
	}
	if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal())
	}
	if code := cmd.ProcessState.ExitCode(); code >= 0 {
		return code
	}
	if errors.Is(err, exec.ErrWaitDelay) {
		return exitOK
	}
	return exitRefused
}
