package claviger_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// dialling are the names by which a program makes its own way into the network.
var dialling = map[string][]string{
	"http": {"Client", "Transport", "DefaultClient", "DefaultTransport", "Get", "Post", "PostForm", "Head"},
	"net":  {"Dial", "DialTimeout", "DialTCP", "DialUDP", "Dialer"},
	"tls":  {"Dial", "Dialer", "DialWithDialer", "Client"},
}

// TestOneOutboundClient: whatever the gateway asks of others goes through the
// guarded clients of internal/netx. A pointer to a client that was made there
// may be kept anywhere.
func TestOneOutboundClient(t *testing.T) {
	exempt := []string{"internal/netx", "internal/testnet", "internal/check", "bench", "openaitest", "gatetest", "e2e", "tools", "examples"}
	seen, used := 0, 0
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (slices.Contains(exempt, filepath.ToSlash(path)) || d.Name() == "testdata" || d.Name() == "node_modules" || len(d.Name()) > 1 && d.Name()[0] == '.'):
			return filepath.SkipDir
		case d.IsDir(), !strings.HasSuffix(path, ".go"), strings.HasSuffix(path, "_test.go"):
			return nil
		}
		seen++
		files := token.NewFileSet()
		f, err := parser.ParseFile(files, path, nil, 0)
		if err != nil {
			return err
		}
		pointed := map[ast.Node]bool{}
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.StarExpr:
				pointed[n.X] = true
			case *ast.SelectorExpr:
				pkg, ok := n.X.(*ast.Ident)
				if !ok {
					return true
				}
				if pkg.Name == "netx" && (n.Sel.Name == "Client" || n.Sel.Name == "Transport") {
					used++
				}
				if slices.Contains(dialling[pkg.Name], n.Sel.Name) && !pointed[n] {
					t.Errorf("%s: %s.%s: outbound clients come from internal/netx", files.Position(n.Pos()), pkg.Name, n.Sel.Name)
				}
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if seen < 100 || used < 4 {
		t.Errorf("%d files and %d clients only: the test proves little", seen, used)
	}
}
