package facts

import (
	"github.com/grafana/sobek/ast"
	"github.com/grafana/sobek/token"
)

func (l *lowering) exprs(list []ast.Expression) []*Node {
	out := make([]*Node, 0, len(list))
	for _, e := range list {
		out = append(out, l.expr(e))
	}
	return out
}

func (l *lowering) expr(e ast.Expression) *Node {
	if e == nil || !l.enter() {
		l.leaveIf(e)
		return nil
	}
	defer l.leave()
	switch e := e.(type) {
	case *ast.Identifier:
		return l.node(Ident, e, e.Name.String())
	case *ast.StringLiteral:
		return l.node(Str, e, e.Value.String())
	case *ast.NumberLiteral:
		return l.node(Num, e, e.Literal)
	case *ast.BooleanLiteral:
		return l.node(Bool, e, e.Literal)
	case *ast.NullLiteral:
		return l.node(Null, e, "")
	case *ast.RegExpLiteral:
		return l.node(Regex, e, e.Literal)
	case *ast.TemplateLiteral:
		return l.template(e)
	case *ast.ArrayLiteral:
		return l.node(Array, e, "", l.exprs(e.Value)...)
	case *ast.ObjectLiteral:
		return l.object(e)
	case *ast.SpreadElement:
		return l.node(Spread, e.Expression, "", l.expr(e.Expression))
	case *ast.FunctionLiteral:
		if e == nil {
			return nil
		}
		return l.function(e)
	case *ast.ArrowFunctionLiteral:
		return l.arrow(e)
	case *ast.ClassLiteral:
		return l.class(e)
	case *ast.CallExpression:
		return l.call(e)
	case *ast.NewExpression:
		return l.node(New, e, "", append([]*Node{l.expr(e.Callee)}, l.exprs(e.ArgumentList)...)...)
	case *ast.Optional, *ast.OptionalChain, *ast.DotExpression, *ast.PrivateDotExpression, *ast.BracketExpression:
		return l.access(e)
	}
	return l.operation(e)
}

func (l *lowering) leaveIf(e ast.Expression) {
	if e != nil {
		l.leave()
	}
}

func (l *lowering) access(e ast.Expression) *Node {
	switch e := e.(type) {
	case *ast.OptionalChain:
		return l.expr(e.Expression)
	case *ast.Optional:
		return l.expr(e.Expression)
	case *ast.DotExpression:
		n := l.node(Member, e, e.Identifier.Name.String(), l.expr(e.Left))
		if _, ok := e.Left.(*ast.Optional); ok {
			n.Flag |= Optional
		}
		return n
	case *ast.PrivateDotExpression:
		return l.node(Member, e, "#"+e.Identifier.Name.String(), l.expr(e.Left))
	case *ast.BracketExpression:
		var n *Node
		if s, ok := e.Member.(*ast.StringLiteral); ok {
			n = l.node(Member, e, s.Value.String(), l.expr(e.Left))
		} else {
			n = l.node(Index, e, "", l.expr(e.Left), l.expr(e.Member))
		}
		if _, ok := e.Left.(*ast.Optional); ok {
			n.Flag |= Optional
		}
		return n
	}
	return nil
}

func (l *lowering) operation(e ast.Expression) *Node {
	switch e := e.(type) {
	case *ast.AwaitExpression:
		return l.node(Await, e, "", l.expr(e.Argument))
	case *ast.YieldExpression:
		return l.node(Yield, e, "", l.expr(e.Argument))
	case *ast.UnaryExpression:
		n := l.node(Unary, e, e.Operator.String(), l.expr(e.Operand))
		if e.Postfix {
			n.Flag |= Postfix
		}
		return n
	case *ast.BinaryExpression:
		kind := Binary
		switch e.Operator {
		case token.LOGICAL_AND, token.LOGICAL_OR, token.COALESCE:
			kind = Logical
		default:
		}
		return l.node(kind, e, e.Operator.String(), l.expr(e.Left), l.expr(e.Right))
	case *ast.AssignExpression:
		op := e.Operator.String()
		if op != "=" {
			op += "="
		}
		return l.node(Assign, e, op, l.target(e.Left), l.expr(e.Right))
	case *ast.ConditionalExpression:
		return l.node(Cond, e, "", l.expr(e.Test), l.expr(e.Consequent), l.expr(e.Alternate))
	case *ast.SequenceExpression:
		return l.node(Seq, e, "", l.exprs(e.Sequence)...)
	case *ast.ThisExpression:
		return l.node(This, e, "")
	case *ast.SuperExpression:
		return l.node(Super, e, "")
	case *ast.MetaProperty:
		return l.node(Meta, e, e.Meta.Name.String()+"."+e.Property.Name.String())
	case *ast.DynamicImportExpression:
		return l.node(Load, e, "")
	case *ast.ObjectPattern, *ast.ArrayPattern, *ast.Binding:
		return l.target(e)
	}
	return nil
}

func (l *lowering) template(e *ast.TemplateLiteral) *Node {
	n := l.node(Template, e, "")
	for i, t := range e.Elements {
		n.Kids = append(n.Kids, l.node(Str, t, t.Parsed.String()))
		if i < len(e.Expressions) {
			n.Kids = append(n.Kids, l.expr(e.Expressions[i]))
		}
	}
	if e.Tag != nil {
		return l.node(Tagged, e.Tag, "", l.expr(e.Tag), n)
	}
	return n
}

func (l *lowering) object(e *ast.ObjectLiteral) *Node {
	n := l.node(Object, e, "")
	for _, p := range e.Value {
		switch p := p.(type) {
		case *ast.PropertyShort:
			name := p.Name.Name.String()
			n.Kids = append(n.Kids, l.node(Prop, p, name, nil, l.node(Ident, &p.Name, name)))
		case *ast.PropertyKeyed:
			key, computed := l.key(p.Key, p.Computed)
			k := l.node(Prop, p, key, computed, l.expr(p.Value))
			if p.Kind == ast.PropertyKindGet {
				k.Flag |= Getter
			}
			n.Kids = append(n.Kids, k)
		case *ast.SpreadElement:
			n.Kids = append(n.Kids, l.node(Spread, p.Expression, "", l.expr(p.Expression)))
		}
	}
	return n
}

// call tells JSX and import() from other calls.
func (l *lowering) call(e *ast.CallExpression) *Node {
	args := l.exprs(e.ArgumentList)
	if _, ok := e.Callee.(*ast.DynamicImportExpression); ok {
		return l.node(Load, e, "", args...)
	}
	callee := l.expr(e.Callee)
	if callee != nil && isJSX(callee) && len(args) > 0 {
		if len(args) == 1 {
			args = append(args, nil)
		}
		return l.node(JSX, e, "", args...)
	}
	n := l.node(Call, e, "", append([]*Node{callee}, args...)...)
	if _, ok := e.Callee.(*ast.Optional); ok {
		n.Flag |= Optional
	}
	return n
}

func isJSX(callee *Node) bool {
	switch callee.Kind {
	case Ident:
		switch callee.Str {
		case jsxCall, "createElement", "_jsx", "_jsxs", "jsx", "jsxs":
			return true
		}
	case Member:
		return callee.Str == "createElement" && callee.Kid(0).Is(Ident) && callee.Kids[0].Str == "React"
	default:
	}
	return false
}
