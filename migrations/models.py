"""The schema of one agency's database, as the application sees it at the head of the chain.

Foreign keys have no index of their own here: InnoDB makes one, under the key's name. The URL begins
with ``mysql+pymysql://`` for MariaDB too: its own dialect would not read the ``mysql_`` options.
"""

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import JSON, BigInteger, Enum, ForeignKey, MetaData, Numeric, String, Text, text
from sqlalchemy.dialects import mysql
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.schema import Index, UniqueConstraint

NOW = text("CURRENT_TIMESTAMP")
UTF8 = {"mysql_default_charset": "utf8mb4", "mysql_collate": "utf8mb4_unicode_ci"}


class Base(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class AgencySetting(Base):
    __tablename__ = "agency_settings"
    __table_args__ = UTF8

    name: Mapped[str] = mapped_column(String(100), primary_key=True)
    value: Mapped[str | None] = mapped_column(Text)
    updated_at: Mapped[datetime] = mapped_column(server_default=NOW)


class User(Base):
    __tablename__ = "users"
    __table_args__ = (UniqueConstraint("email"), UTF8)

    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(String(190))
    full_name: Mapped[str] = mapped_column(String(200))
    role: Mapped[str] = mapped_column(
        Enum("caseworker", "supervisor", "attorney", "administrator", name="user_role"),
        server_default="caseworker",
    )
    is_active: Mapped[bool] = mapped_column(server_default=text("1"))
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)
    preferred_language: Mapped[str] = mapped_column(String(8), server_default="en")


class Case(Base):
    __tablename__ = "cases"
    __table_args__ = (UniqueConstraint("case_number"), Index(None, "status", "opened_on"), UTF8)

    id: Mapped[int] = mapped_column(primary_key=True)
    case_number: Mapped[str] = mapped_column(String(40))
    title: Mapped[str] = mapped_column(String(255))
    status: Mapped[str] = mapped_column(
        Enum("open", "pending", "closed", name="case_status"), server_default="open"
    )
    opened_on: Mapped[date]
    assigned_to_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)


class CaseClosingDetail(Base):
    __tablename__ = "case_closing_details"
    __table_args__ = (UniqueConstraint("case_id"), UTF8)

    id: Mapped[int] = mapped_column(primary_key=True)
    case_id: Mapped[int] = mapped_column(ForeignKey("cases.id"))
    closed_on: Mapped[date]
    closed_by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    summary: Mapped[str | None] = mapped_column(Text)
    delivery_date: Mapped[date | None]
    closing_reason: Mapped[str | None] = mapped_column(
        String(32), comment="a code of closing_reasons"
    )


class CaseNote(Base):
    __tablename__ = "case_notes"
    __table_args__ = (Index(None, "case_id", "created_at"), UTF8)

    id: Mapped[int] = mapped_column(primary_key=True)
    case_id: Mapped[int] = mapped_column(ForeignKey("cases.id", ondelete="CASCADE"))
    author_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    body: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)
    is_confidential: Mapped[bool] = mapped_column(server_default=text("0"))


class Document(Base):
    __tablename__ = "documents"
    __table_args__ = UTF8

    id: Mapped[int] = mapped_column(primary_key=True)
    case_id: Mapped[int] = mapped_column(ForeignKey("cases.id"))
    uploaded_by_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    file_name: Mapped[str] = mapped_column(String(255))
    storage_key: Mapped[str] = mapped_column(String(255))
    size_bytes: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    uploaded_at: Mapped[datetime] = mapped_column(server_default=NOW)


class EmailMessage(Base):
    """Begun in the legacy character set: only columns added since the change hold any character."""

    __tablename__ = "email_message"
    __table_args__ = UTF8

    id: Mapped[int] = mapped_column(primary_key=True)
    case_id: Mapped[int | None] = mapped_column(ForeignKey("cases.id"))
    sender: Mapped[str] = mapped_column(String(190))
    recipients: Mapped[str] = mapped_column(Text)
    subject: Mapped[str] = mapped_column(String(255))
    body: Mapped[str | None] = mapped_column(mysql.MEDIUMTEXT)
    sent_at: Mapped[datetime | None]
    body_html: Mapped[str | None] = mapped_column(mysql.MEDIUMTEXT)


class Appointment(Base):
    __tablename__ = "appointments"
    __table_args__ = (Index(None, "user_id", "starts_at"), UTF8)

    id: Mapped[int] = mapped_column(primary_key=True)
    case_id: Mapped[int] = mapped_column(ForeignKey("cases.id"))
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    location: Mapped[str | None] = mapped_column(String(255))
    reminder_minutes: Mapped[int] = mapped_column(server_default=text("60"))


class Invoice(Base):
    __tablename__ = "invoices"
    __table_args__ = (UniqueConstraint("invoice_number"), UTF8)

    id: Mapped[int] = mapped_column(primary_key=True)
    case_id: Mapped[int] = mapped_column(ForeignKey("cases.id"))
    invoice_number: Mapped[str] = mapped_column(String(40))
    issued_on: Mapped[date]
    due_on: Mapped[date | None]
    total: Mapped[Decimal] = mapped_column(Numeric(12, 2))


class InvoiceLine(Base):
    __tablename__ = "invoice_lines"
    __table_args__ = UTF8

    id: Mapped[int] = mapped_column(primary_key=True)
    invoice_id: Mapped[int] = mapped_column(ForeignKey("invoices.id", ondelete="CASCADE"))
    description: Mapped[str] = mapped_column(String(255))
    hours: Mapped[Decimal] = mapped_column(Numeric(6, 2))
    rate: Mapped[Decimal] = mapped_column(Numeric(10, 2))


class AuditLog(Base):
    __tablename__ = "audit_log"
    __table_args__ = (Index(None, "entity", "entity_id", "happened_at"), UTF8)

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    happened_at: Mapped[datetime] = mapped_column(mysql.DATETIME(fsp=6))
    user_id: Mapped[int | None]
    action: Mapped[str] = mapped_column(String(40))
    entity: Mapped[str] = mapped_column(String(64))
    entity_id: Mapped[int | None] = mapped_column(BigInteger)
    detail: Mapped[dict[str, Any] | None] = mapped_column(JSON)


class ClosingReason(Base):
    __tablename__ = "closing_reasons"
    __table_args__ = UTF8

    code: Mapped[str] = mapped_column(String(32), primary_key=True)
    label: Mapped[str] = mapped_column(String(120))
    sort_order: Mapped[int] = mapped_column(server_default=text("0"))
    is_active: Mapped[bool] = mapped_column(server_default=text("1"))
