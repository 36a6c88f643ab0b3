"""A Flask application with two databases, its own and one for audits."""

import os
from datetime import datetime

from flask import Flask
from flask_migrate import Migrate
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    pass


db = SQLAlchemy(model_class=Base)
migrate = Migrate()


class Client(db.Model):
    __tablename__ = "clients"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(100))


class Audit(db.Model):
    __bind_key__ = "audit"
    __tablename__ = "audits"

    id: Mapped[int] = mapped_column(primary_key=True)
    happened_at: Mapped[datetime]


def create_app():
    app = Flask(__name__)
    app.config["SQLALCHEMY_DATABASE_URI"] = os.environ["APP_DATABASE_URI"]
    app.config["SQLALCHEMY_BINDS"] = {"audit": os.environ["APP_AUDIT_URI"]}
    db.init_app(app)
    migrate.init_app(app, db)
    return app
