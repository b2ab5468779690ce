package facts

import (
	"github.com/go-sourcemap/sourcemap"
	"github.com/grafana/sobek/ast"
	"github.com/grafana/sobek/file"
)

// lowering turns the parser's tree into ours.
type lowering struct {
	lines  []int
	places *sourcemap.Consumer
	last   int32
	depth  int
	deep   bool
}

func (l *lowering) node(k Kind, at ast.Node, str string, kids ...*Node) *Node {
	return l.nodeAt(k, at.Idx0(), str, kids...)
}

func (l *lowering) nodeAt(k Kind, idx file.Idx, str string, kids ...*Node) *Node {
	n := &Node{Kind: k, Str: str, Kids: kids}
	n.Line, n.Col = l.at(idx)
	return n
}

// enter reports whether there is room for one level more.
func (l *lowering) enter() bool {
	l.depth++
	if l.depth > MaxDepth-10 {
		l.deep = true
	}
	return !l.deep
}

func (l *lowering) leave() { l.depth-- }

func (l *lowering) program(p *ast.Program) *Node {
	n := &Node{Kind: Program, Line: 1, Col: 1}
	n.Kids = l.stmts(p.Body)
	n.Directives = directives(p.Body)
	return n
}

// directives are the strings that open a body.
func directives(body []ast.Statement) []string {
	var found []string
	for _, s := range body {
		e, ok := s.(*ast.ExpressionStatement)
		if !ok {
			break
		}
		str, ok := e.Expression.(*ast.StringLiteral)
		if !ok {
			break
		}
		found = append(found, str.Value.String())
	}
	return found
}

func (l *lowering) stmts(list []ast.Statement) []*Node {
	out := make([]*Node, 0, len(list))
	for _, s := range list {
		if n := l.stmt(s); n != nil {
			out = append(out, n)
		}
	}
	return out
}

func (l *lowering) block(b *ast.BlockStatement) *Node {
	if b == nil {
		return nil
	}
	return l.node(Block, b, "", l.stmts(b.List)...)
}

func (l *lowering) stmt(s ast.Statement) *Node {
	if !l.enter() || s == nil {
		l.leave()
		return nil
	}
	defer l.leave()
	switch s := s.(type) {
	case *ast.BlockStatement:
		return l.block(s)
	case *ast.ExpressionStatement:
		return l.node(ExprStmt, s, "", l.expr(s.Expression))
	case *ast.VariableStatement:
		return l.node(Var, s, "var", l.bindings(s.List)...)
	case *ast.LexicalDeclaration:
		return l.node(Var, s, s.Token.String(), l.bindings(s.List)...)
	case *ast.ReturnStatement:
		return l.node(Return, s, "", l.expr(s.Argument))
	case *ast.IfStatement:
		return l.node(If, s, "", l.expr(s.Test), l.stmt(s.Consequent), l.stmt(s.Alternate))
	case *ast.SwitchStatement:
		return l.switching(s)
	case *ast.ThrowStatement:
		return l.node(Throw, s, "", l.expr(s.Argument))
	case *ast.TryStatement:
		return l.trying(s)
	case *ast.BranchStatement:
		return l.node(Jump, s, s.Token.String())
	case *ast.LabelledStatement:
		return l.stmt(s.Statement)
	case *ast.FunctionDeclaration:
		return l.node(FuncDecl, s, "", l.expr(s.Function))
	case *ast.ClassDeclaration:
		return l.node(ClassDecl, s, "", l.expr(s.Class))
	case *ast.ImportDeclaration:
		return l.importing(s)
	case *ast.ExportDeclaration:
		return l.exporting(s)
	}
	return l.loop(s)
}

func (l *lowering) loop(s ast.Statement) *Node {
	switch s := s.(type) {
	case *ast.ForStatement:
		return l.node(For, s, "", l.forInit(s.Initializer), l.expr(s.Test), l.expr(s.Update), l.stmt(s.Body))
	case *ast.ForInStatement:
		return l.node(ForEach, s, "in", l.forInto(s.Into), l.expr(s.Source), l.stmt(s.Body))
	case *ast.ForOfStatement:
		return l.node(ForEach, s, "of", l.forInto(s.Into), l.expr(s.Source), l.stmt(s.Body))
	case *ast.WhileStatement:
		return l.node(While, s, "", l.expr(s.Test), l.stmt(s.Body))
	case *ast.DoWhileStatement:
		return l.node(DoWhile, s, "", l.expr(s.Test), l.stmt(s.Body))
	case *ast.WithStatement:
		return l.stmt(s.Body)
	}
	return nil
}

func (l *lowering) forInit(i ast.ForLoopInitializer) *Node {
	switch i := i.(type) {
	case *ast.ForLoopInitializerExpression:
		return l.node(ExprStmt, i, "", l.expr(i.Expression))
	case *ast.ForLoopInitializerVarDeclList:
		return l.nodeAt(Var, i.Var, "var", l.bindings(i.List)...)
	case *ast.ForLoopInitializerLexicalDecl:
		return l.stmt(&i.LexicalDeclaration)
	}
	return nil
}

func (l *lowering) forInto(i ast.ForInto) *Node {
	switch i := i.(type) {
	case *ast.ForIntoVar:
		return l.target(i.Binding.Target)
	case *ast.ForDeclaration:
		return l.target(i.Target)
	case *ast.ForIntoExpression:
		return l.target(i.Expression)
	}
	return nil
}

func (l *lowering) switching(s *ast.SwitchStatement) *Node {
	n := l.node(Switch, s, "", l.expr(s.Discriminant))
	for _, c := range s.Body {
		kids := append([]*Node{l.expr(c.Test)}, l.stmts(c.Consequent)...)
		n.Kids = append(n.Kids, l.nodeAt(Case, c.Case, "", kids...))
	}
	return n
}

func (l *lowering) trying(s *ast.TryStatement) *Node {
	n := l.node(Try, s, "", l.block(s.Body), nil, nil, l.block(s.Finally))
	if s.Catch != nil {
		if s.Catch.Parameter != nil {
			n.Kids[1] = l.target(s.Catch.Parameter)
		}
		n.Kids[2] = l.block(s.Catch.Body)
	}
	return n
}

func (l *lowering) bindings(list []*ast.Binding) []*Node {
	out := make([]*Node, 0, len(list))
	for _, b := range list {
		out = append(out, l.node(Declare, b, "", l.target(b.Target), l.expr(b.Initializer)))
	}
	return out
}

func (l *lowering) importing(s *ast.ImportDeclaration) *Node {
	spec := s.ModuleSpecifier.String()
	if s.FromClause != nil {
		spec = s.FromClause.ModuleSpecifier.String()
	}
	n := l.node(Import, s, spec)
	add := func(local, imported string) {
		k := l.node(ImportSpec, s, local)
		k.Alt = imported
		n.Kids = append(n.Kids, k)
	}
	if c := s.ImportClause; c != nil {
		if c.ImportedDefaultBinding != nil {
			add(c.ImportedDefaultBinding.Name.String(), "default")
		}
		if c.NameSpaceImport != nil {
			add(c.NameSpaceImport.ImportedBinding.String(), "*")
		}
		if c.NamedImports != nil {
			for _, i := range c.NamedImports.ImportsList {
				local := i.Alias.String()
				if local == "" {
					local = i.IdentifierName.String()
				}
				add(local, i.IdentifierName.String())
			}
		}
	}
	return n
}

func (l *lowering) exporting(s *ast.ExportDeclaration) *Node {
	wrap := func(kid *Node) *Node {
		if s.IsDefault {
			return l.node(ExportDefault, s, "", kid)
		}
		return l.node(Export, s, "", kid)
	}
	switch {
	case s.Variable != nil:
		return wrap(l.stmt(s.Variable))
	case s.LexicalDeclaration != nil:
		return wrap(l.stmt(s.LexicalDeclaration))
	case s.HoistableDeclaration != nil && s.HoistableDeclaration.FunctionDeclaration != nil:
		return wrap(l.stmt(s.HoistableDeclaration.FunctionDeclaration))
	case s.ClassDeclaration != nil:
		return wrap(l.stmt(s.ClassDeclaration))
	case s.AssignExpression != nil:
		return wrap(l.expr(s.AssignExpression))
	}
	return l.exportList(s)
}

func (l *lowering) exportList(s *ast.ExportDeclaration) *Node {
	n := l.node(ExportFrom, s, "")
	if s.FromClause != nil {
		n.Str = s.FromClause.ModuleSpecifier.String()
	}
	names := s.NamedExports
	if c := s.ExportFromClause; c != nil {
		if c.IsWildcard {
			k := l.node(ExportSpec, s, "*")
			k.Alt = c.Alias.String()
			n.Kids = append(n.Kids, k)
		}
		if c.NamedExports != nil {
			names = c.NamedExports
		}
	}
	if names != nil {
		for _, e := range names.ExportsList {
			k := l.node(ExportSpec, s, e.IdentifierName.String())
			if k.Alt = e.Alias.String(); k.Alt == "" {
				k.Alt = k.Str
			}
			n.Kids = append(n.Kids, k)
		}
	}
	return n
}

// target lowers what a value is bound or assigned to.
func (l *lowering) target(e ast.Expression) *Node {
	if e == nil || !l.enter() {
		return nil
	}
	defer l.leave()
	switch e := e.(type) {
	case *ast.ObjectPattern:
		n := l.node(ObjPat, e, "")
		for _, p := range e.Properties {
			n.Kids = append(n.Kids, l.patProp(p))
		}
		if e.Rest != nil {
			n.Kids = append(n.Kids, l.node(Rest, e.Rest, "", l.target(e.Rest)))
		}
		return n
	case *ast.ArrayPattern:
		n := l.node(ArrPat, e, "")
		for _, el := range e.Elements {
			n.Kids = append(n.Kids, l.target(el))
		}
		if e.Rest != nil {
			n.Kids = append(n.Kids, l.node(Rest, e.Rest, "", l.target(e.Rest)))
		}
		return n
	case *ast.AssignExpression:
		return l.node(Default, e, "", l.target(e.Left), l.expr(e.Right))
	case *ast.Binding:
		if e.Initializer != nil {
			return l.node(Default, e, "", l.target(e.Target), l.expr(e.Initializer))
		}
		return l.target(e.Target)
	}
	return l.expr(e)
}

func (l *lowering) patProp(p ast.Property) *Node {
	switch p := p.(type) {
	case *ast.PropertyShort:
		t := l.node(Ident, &p.Name, p.Name.Name.String())
		if p.Initializer != nil {
			t = l.node(Default, p, "", t, l.expr(p.Initializer))
		}
		return l.node(PatProp, p, p.Name.Name.String(), nil, t)
	case *ast.PropertyKeyed:
		key, computed := l.key(p.Key, p.Computed)
		return l.node(PatProp, p, key, computed, l.target(p.Value))
	}
	return nil
}

// key is the name of a property, or the expression that computes it.
func (l *lowering) key(e ast.Expression, computed bool) (string, *Node) {
	switch k := e.(type) {
	case *ast.StringLiteral:
		return k.Value.String(), nil
	case *ast.NumberLiteral:
		return k.Literal, nil
	case *ast.Identifier:
		if !computed {
			return k.Name.String(), nil
		}
	case *ast.PrivateIdentifier:
		return "#" + k.Name.String(), nil
	}
	return "", l.expr(e)
}

func (l *lowering) params(n *Node, p *ast.ParameterList) {
	if p == nil {
		return
	}
	for _, b := range p.List {
		n.Kids = append(n.Kids, l.target(b))
	}
	if p.Rest != nil {
		n.Kids = append(n.Kids, l.node(Rest, p.Rest, "", l.target(p.Rest)))
	}
}

func (l *lowering) function(f *ast.FunctionLiteral) *Node {
	body := l.block(f.Body)
	n := l.node(Func, f, "", body)
	if f.Name != nil {
		n.Str = f.Name.Name.String()
	}
	if f.Async {
		n.Flag |= Async
	}
	if f.Generator {
		n.Flag |= Generator
	}
	if f.Body != nil {
		n.Directives = directives(f.Body.List)
	}
	l.params(n, f.ParameterList)
	return n
}

func (l *lowering) arrow(f *ast.ArrowFunctionLiteral) *Node {
	n := l.node(Func, f, "")
	n.Flag = Arrow
	if f.Async {
		n.Flag |= Async
	}
	switch b := f.Body.(type) {
	case *ast.BlockStatement:
		n.Kids = append(n.Kids, l.block(b))
		n.Directives = directives(b.List)
	case *ast.ExpressionBody:
		ret := l.node(Return, b, "", l.expr(b.Expression))
		n.Kids = append(n.Kids, l.node(Block, b, "", ret))
	default:
		n.Kids = append(n.Kids, nil)
	}
	l.params(n, f.ParameterList)
	return n
}

func (l *lowering) class(c *ast.ClassLiteral) *Node {
	n := l.node(Class, c, "", l.expr(c.SuperClass))
	if c.Name != nil {
		n.Str = c.Name.Name.String()
	}
	for _, e := range c.Body {
		var m *Node
		switch e := e.(type) {
		case *ast.MethodDefinition:
			key, computed := l.key(e.Key, e.Computed)
			m = l.node(Method, e, key, computed, l.expr(e.Body))
			if e.Kind == ast.PropertyKindGet {
				m.Flag |= Getter
			}
			if e.Static {
				m.Flag |= Static
			}
		case *ast.FieldDefinition:
			key, computed := l.key(e.Key, e.Computed)
			m = l.node(Method, e, key, computed, l.expr(e.Initializer))
			if e.Static {
				m.Flag |= Static
			}
		default:
			continue
		}
		n.Kids = append(n.Kids, m)
	}
	return n
}
