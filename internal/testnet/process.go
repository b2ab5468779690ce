package testnet

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"time"
)

// Process is a server that tests start, in a directory of its own. Where the
// system can do it, the server ends with the test's own process, however that
// ends.
type Process struct {
	cmd    *exec.Cmd
	out    bytes.Buffer
	done   chan struct{}
	stop   sync.Once
	signal os.Signal
}

// StartProcess starts cmd as it is and waits until ready returns nil. stop is
// the signal that ends the server; after a while it is killed.
func StartProcess(cmd *exec.Cmd, stop os.Signal, ready func() error) (*Process, error) {
	p := &Process{cmd: cmd, done: make(chan struct{}), signal: stop}
	cmd.Stdout, cmd.Stderr = &p.out, &p.out
	cmd.WaitDelay = time.Second
	endWithParent(cmd)
	started := make(chan error)
	go func() {
		// The system watches the thread that started the server.
		runtime.LockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait()
			close(p.done)
		}
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	var err error
	for deadline := time.Now().Add(3 * patience); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		select {
		case <-p.done:
			return nil, fmt.Errorf("%s ended by itself:\n%s", cmd.Path, p.out.String())
		default:
		}
		if err = ready(); err == nil {
			return p, nil
		}
	}
	p.Stop()
	return nil, fmt.Errorf("%s is not ready: %w\n%s", cmd.Path, err, p.out.String())
}

// Stop ends the server and waits for it. It may be called again.
func (p *Process) Stop() {
	p.stop.Do(func() {
		_ = p.cmd.Process.Signal(p.signal)
		select {
		case <-p.done:
		case <-time.After(patience):
			_ = p.cmd.Process.Kill()
			<-p.done
		}
	})
}

// Kill ends the server without a word to it.
func (p *Process) Kill() {
	p.stop.Do(func() {
		_ = p.cmd.Process.Kill()
		<-p.done
	})
}
