package app

import (
	"context"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/fsnotify/fsnotify"
)

// settleTime is how long files must be quiet before they are read: editors and
// secret managers write in several steps.
const settleTime = 150 * time.Millisecond

// watcher hears of SIGHUP and of changed files from the moment it is made.
type watcher struct {
	s    *running
	hup  chan os.Signal
	tree *fsnotify.Watcher // nil where files cannot be watched
}

// newWatcher begins to listen. Whoever makes it runs it, or closes it.
func (s *running) newWatcher() *watcher {
	w := &watcher{s: s, hup: make(chan os.Signal, 1)}
	signal.Notify(w.hup, syscall.SIGHUP)
	tree, err := fsnotify.NewWatcher()
	if err != nil {
		s.log.Warn("files are not watched: a change needs SIGHUP", "error", err.Error())
		return w
	}
	w.tree = tree
	w.follow()
	return w
}

func (w *watcher) close() {
	signal.Stop(w.hup)
	if w.tree != nil {
		_ = w.tree.Close()
	}
}

// start runs w until ctx ends or stop is called, which waits for it.
func (w *watcher) start(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.run(ctx)
	}()
	return func() {
		cancel()
		<-done
	}
}

// run reloads on SIGHUP and when a file of the installation changes, until ctx
// ends.
func (w *watcher) run(ctx context.Context) {
	quiet := time.NewTimer(settleTime)
	if !w.missed() {
		quiet.Stop()
	}
	var events <-chan fsnotify.Event
	var failures <-chan error
	if w.tree != nil {
		events, failures = w.tree.Events, w.tree.Errors
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-w.hup:
			w.s.reload(ctx)
			w.follow()
		case e := <-events:
			if w.concerns(e) {
				quiet.Reset(settleTime)
			}
		case err := <-failures:
			// Events may be lost, so what is on disk is read again.
			w.s.log.Warn("watching files failed", "error", err.Error())
			quiet.Reset(settleTime)
		case <-quiet.C:
			w.s.reload(ctx)
			w.follow()
		}
	}
}

// follow watches the directories of the installation's files: a file that is
// replaced, as editors and Kubernetes do, is another file than the one that was
// watched.
func (w *watcher) follow() {
	if w.tree == nil {
		return
	}
	watched := w.tree.WatchList()
	for _, f := range w.s.installed().files {
		dir := filepath.Dir(f)
		if slices.Contains(watched, dir) {
			continue
		}
		if err := w.tree.Add(dir); err == nil {
			watched = append(watched, dir)
		}
	}
}

// missed reports whether a file changed after it was read and before it was
// watched.
func (w *watcher) missed() bool {
	in := w.s.installed()
	return slices.ContainsFunc(in.files, func(f string) bool {
		info, err := os.Stat(f)
		return err == nil && info.ModTime().After(in.begun)
	})
}

// concerns reports whether an event is about a file of the installation, or the
// link that Kubernetes swaps to replace a mounted secret.
func (w *watcher) concerns(e fsnotify.Event) bool {
	if e.Op == fsnotify.Chmod {
		return false
	}
	return filepath.Base(e.Name) == "..data" || slices.Contains(w.s.installed().files, filepath.Clean(e.Name))
}
